package child

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Usage is what the system charges a process.
type Usage struct {
	Resident uint64        // bytes
	CPU      time.Duration // user and system, since the process began, of the threads that still live
}

// usageOf reads the resident pages and the nanoseconds that the scheduler counted for every thread: the clock
// ticks of /proc/PID/stat are too coarse for a few milliseconds of heartbeats.
func usageOf(pid int) (Usage, error) {
	root := filepath.Join("/proc", strconv.Itoa(pid))
	statm, err := fields(filepath.Join(root, "statm"), 2)
	if err != nil {
		return Usage{}, err
	}
	u := Usage{Resident: statm[1] * uint64(os.Getpagesize())}
	threads, err := filepath.Glob(filepath.Join(root, "task", "*", "schedstat"))
	if err != nil {
		return u, err
	}
	for _, thread := range threads {
		ran, err := fields(thread, 1)
		if os.IsNotExist(err) {
			continue // ended between the listing and the reading
		}
		if err != nil {
			return u, err
		}
		u.CPU += time.Duration(ran[0])
	}
	return u, nil
}

// fields reads the first n numbers of a file of the system's.
func fields(path string, n int) ([]uint64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	words := bytes.Fields(text)
	if len(words) < n {
		return nil, fmt.Errorf("%s: %d fields where %d were due", path, len(words), n)
	}
	out := make([]uint64, n)
	for i := range out {
		if out[i], err = strconv.ParseUint(string(words[i]), 10, 64); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return out, nil
}
