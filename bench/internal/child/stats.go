package child

import (
	"runtime"
	"runtime/debug"
)

// Stats is what a server process knows about itself. The memory and CPU that the system charges it are read from
// outside, the same way for every server (see Usage).
type Stats struct {
	Mallocs uint64 `json:"mallocs"` // objects allocated since the process began
	Heap    uint64 `json:"heap"`    // bytes of heap in use
	Stack   uint64 `json:"stack"`   // bytes of goroutine stacks in use
}

// Collect reads the runtime's own figures, after a collection that gives memory back to the system if tidy is set.
func Collect(tidy bool) Stats {
	if tidy {
		// Twice: what finalizers and pools let go in the first collection is free after the second.
		runtime.GC()
		debug.FreeOSMemory()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return Stats{Mallocs: m.Mallocs, Heap: m.HeapInuse, Stack: m.StackInuse}
}
