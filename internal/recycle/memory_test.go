package recycle

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// overwriting returns memory that overwrites each block which comes back, with a byte that no test
// writes: a former owner that still sees the block sees that.
func overwriting() *memory {
	m := newMemory(true)
	for i := range m.classes {
		c := &m.classes[i]
		back := c.back
		c.back = func(p *byte) {
			b := unsafe.Slice(p, c.size)
			for at := range b {
				b[at] = overwritten
			}
			back(p)
		}
	}
	return m
}

const overwritten = 0xDB

// collect runs the collector until at most left bytes have a finalizer.
func collect(t *testing.T, m *memory, left int64) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); m.pending.Load() > left; runtime.Gosched() {
		require.True(t, time.Now().Before(end), "%d bytes did not come back", m.pending.Load())
		runtime.GC()
	}
}

func TestCloneIsACopy(t *testing.T) {
	for _, n := range []int{1, minSize - 1, minSize, minSize + 1, 100_000, maxSize, maxSize + 1} {
		p := bytes.Repeat([]byte{7}, n)
		c := Clone(p)
		require.Equal(t, p, c)
		p[0] = 8
		require.EqualValues(t, 7, c[0])
		require.Equal(t, n, len(append(c[:0], p...)), "it may be written and appended to")
	}
	require.Nil(t, Clone(nil))
	require.Nil(t, Clone([]byte{}))
}

// A class wastes less than half of its blocks, and none of its memory is handed out beyond what was
// requested.
func TestClasses(t *testing.T) {
	m := newMemory(true)
	for n := minSize; n <= maxSize; n++ {
		c := m.class(n)
		if c.size < n || c.size > minSize && 2*n <= c.size {
			t.Fatalf("%d bytes get %d", n, c.size)
		}
	}
	require.Equal(t, minSize, m.classes[0].size)
	require.Equal(t, maxSize, m.classes[len(m.classes)-1].size)
	for _, n := range []int{minSize, minSize + 1, 5000, 6144, 6145, maxSize} {
		got := m.get(n)
		require.Zero(t, len(got))
		require.Equal(t, n, cap(got), "an append must not reach what is behind")
	}
	for _, n := range []int{0, 1, minSize - 1, maxSize + 1} {
		require.Nil(t, m.get(n))
	}
	collect(t, m, 0)
}

// What nothing refers to any more is used again.
func TestMemoryComesBack(t *testing.T) {
	if !reuse {
		t.Skip("sync.Pool forgets at random under the race detector")
	}
	m := newMemory(true)
	const size = 64 << 10
	again := 0
	for range 4 {
		for range maxPending / size {
			p := m.get(size)[:size]
			if p[0] != 0 { // new memory is zero
				again++
			}
			p[0] = 1
		}
		collect(t, m, 0)
	}
	require.Greater(t, again, maxPending/size, "blocks were used again")
}

// However much is in use, no more than the bound is to come back; what is needed beyond it is
// ordinary memory.
func TestMemoryIsBounded(t *testing.T) {
	m := newMemory(true)
	var held [][]byte
	for i := range 2 * maxPending / maxSize {
		held = append(held, m.get(maxSize))
		require.Equal(t, i < maxPending/maxSize, held[i] != nil)
		require.LessOrEqual(t, m.pending.Load(), int64(maxPending))
	}
	require.Len(t, m.clone(make([]byte, maxSize)), maxSize)
	runtime.KeepAlive(held)
	collect(t, m, 0)
}

// A build with a sanitizer leaves all memory to the allocator.
func TestNoReuse(t *testing.T) {
	m := newMemory(false)
	require.Nil(t, m.get(64<<10))
	require.Len(t, m.clone(make([]byte, 64<<10)), 64<<10)
	require.EqualValues(t, maxPending, m.pending.Load())
}

// What a copy costs with its memory used again, and without: both are garbage at once.
func BenchmarkClone(b *testing.B) {
	for _, kib := range []int{1, 16, 64, 1024} {
		p := make([]byte, kib<<10)
		for name, reuse := range map[string]bool{"again": true, "ordinary": false} {
			m := newMemory(reuse)
			b.Run(fmt.Sprintf("%dKiB/%s", kib, name), func(b *testing.B) {
				b.SetBytes(int64(len(p)))
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						m.clone(p)
					}
				})
			})
		}
	}
}
