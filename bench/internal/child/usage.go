package child

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Usage is what the system charges a process.
type Usage struct {
	Resident uint64        // bytes
	CPU      time.Duration // user and system, since the process began
}

func usageOf(pid int) (Usage, error) {
	statm := fmt.Sprintf("/proc/%d/statm", pid)
	text, err := os.ReadFile(statm)
	if err != nil {
		return Usage{}, err
	}
	pages := bytes.Fields(text) // of the program, resident, ...
	if len(pages) < 2 {
		return Usage{}, fmt.Errorf("%s: %q", statm, text)
	}
	resident, err := strconv.ParseUint(string(pages[1]), 10, 64)
	if err != nil {
		return Usage{}, fmt.Errorf("%s: %w", statm, err)
	}
	var cpu unix.Timespec
	if err := unix.ClockGettime(cpuClock(pid), &cpu); err != nil {
		return Usage{}, os.NewSyscallError("clock_gettime", err)
	}
	return Usage{Resident: resident * uint64(os.Getpagesize()), CPU: time.Duration(cpu.Nano())}, nil
}

// cpuClock is the clock of a process's CPU time, in nanoseconds: the ticks of /proc/PID/stat are too coarse for a few
// milliseconds of heartbeats. The bits are those of clock_getcpuclockid(3) on Linux.
func cpuClock(pid int) int32 {
	const scheduler = 2
	return ^int32(pid)<<3 | scheduler
}
