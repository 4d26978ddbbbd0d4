//go:build unix

package cli

import (
	"math"
	"syscall"
)

// descriptors is how many descriptors the process may have open, if that is
// known. Go has raised it as far as it may.
func descriptors() (limit int, known bool) {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return 0, false
	}
	return int(min(uint64(r.Cur), math.MaxInt32)), true
}
