package testkit

import (
	"runtime"
	"sync/atomic"
)

// Heap returns how many bytes the objects on the heap and the stacks of goroutines take, after
// garbage was collected often enough that what comes back by finalizers has come back, and was
// freed where nothing has used it.
func Heap() int64 {
	for range 4 {
		var over atomic.Bool // no channel: the caller may be inside testing/synctest
		runtime.SetFinalizer(new([64]byte), func(*[64]byte) { over.Store(true) })
		for runtime.GC(); !over.Load(); {
			runtime.Gosched()
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
