package session

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
)

// Memory that comes back is overwritten in all tests of this package: whoever still reads it is found out.
func init() {
	for i := range payloads.classes {
		c := &payloads.classes[i]
		back := c.back
		c.back = func(p *byte) {
			b := unsafe.Slice(p, c.size)
			for at := range b {
				b[at] = 0xDB
			}
			back(p)
		}
	}
}

// collect has the garbage collector bring back all memory that nobody refers to.
func collect(t *testing.T, m *memory) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); m.out.Load() > 0; runtime.Gosched() {
		require.True(t, time.Now().Before(end), "%d bytes did not come back", m.out.Load())
		runtime.GC()
	}
}

func TestClassesOfPayloads(t *testing.T) {
	m := newMemory(true)
	for n := minBack; n <= maxBack; n++ {
		c := m.class(n)
		if c.size < n || c.size > minBack && 2*n <= c.size {
			t.Fatalf("%d bytes get %d", n, c.size)
		}
	}
	for _, n := range []int{minBack, minBack + 1, 5000, 6144, 6145, maxBack} {
		got := m.get(n)
		require.Zero(t, len(got))
		require.Equal(t, n, cap(got), "an append must not reach what is behind")
	}
	for _, n := range []int{0, 1, minBack - 1, maxBack + 1} {
		require.Nil(t, m.get(n))
	}
	collect(t, m)
}

// What nobody refers to any more is used again.
func TestPayloadMemoryComesBack(t *testing.T) {
	if !comesBack {
		t.Skip("sync.Pool forgets at random under the race detector")
	}
	m := newMemory(true)
	const size = 64 << 10
	again := 0
	for range 4 {
		for range mostOut / size {
			p := m.get(size)[:size]
			if p[0] != 0 { // new memory is
				again++
			}
			p[0] = 1
		}
		collect(t, m)
	}
	require.Greater(t, again, mostOut/size, "blocks were used again")
}

// However much is in use, no more than the bound is to come back.
func TestPayloadMemoryIsBounded(t *testing.T) {
	m := newMemory(true)
	var held [][]byte
	for range 2 * mostOut / maxBack {
		held = append(held, m.get(maxBack))
		require.LessOrEqual(t, m.out.Load(), int64(mostOut))
	}
	runtime.KeepAlive(held)
	collect(t, m)
}

// Somebody keeps some payloads, or a piece of one, while the memory of others
// comes back and is used again: what he has stays as it was.
func TestKeptPayloadsStay(t *testing.T) {
	m := newMemory(comesBack)
	if comesBack {
		defer collect(t, m)
	}
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(g), 1))
			type piece struct {
				b    []byte
				want byte
			}
			var kept []piece
			scratch := make([]byte, 64<<10)
			for i := range 4000 {
				want := byte(rng.Uint32())
				p := scratch[:1+rng.IntN(len(scratch))]
				for j := range p {
					p[j] = want
				}
				b := m.clone(p)
				at := rng.IntN(len(b))
				kept = append(kept, piece{b[at:min(len(b), at+1+rng.IntN(8))], want})
				if len(kept) > 100 {
					old := rng.IntN(len(kept))
					for _, got := range kept[old].b {
						if got != kept[old].want {
							t.Errorf("a kept payload has changed")
							return
						}
					}
					kept[old] = kept[len(kept)-1]
					kept = kept[:len(kept)-1]
				}
				if i%400 == 0 {
					runtime.GC()
				}
			}
		})
	}
	all.Wait()
}

// How many messages of a read share a block, which the smallest of them keeps if its user keeps it.
func TestMessagesThatShareMemory(t *testing.T) {
	many := func(n, size int) (p []byte) {
		for range n {
			p = codec.Format{}.AppendFrame(p, make([]byte, size))
		}
		return p
	}
	for name, c := range map[string]struct {
		read   []byte
		buffer Buffer
		frames int
	}{
		"small":              {many(1000, 16), Fixed(2000), 4096 / 20},
		"medium":             {many(20, 1024), Fixed(100), 16384 / 1028},
		"medium, lossy":      {many(20, 1024), Sliding(100), 4096 / 1028},
		"medium, small":      {append(many(2, 1024), many(1000, 16)...), Fixed(2000), 2 + (4096-2*1028)/20},
		"medium, many small": {append(many(10, 1024), many(1000, 16)...), Fixed(2000), 10},
		"a single one":       {many(1, 2048), Fixed(100), 0},
		"large":              {many(4, 8192), Fixed(100), 0},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := newFake(t, false, func(cfg *Config) {
				var err error
				cfg.ReadBuffer, err = c.buffer.Resolve("ReadBuffer", DefaultReadBytes)
				require.NoError(t, err)
			})
			r := s.attach(newSink())
			require.Equal(t, c.frames, r.lookAhead(c.read, c.buffer.Cap, DefaultReadBytes).Frames)
			s.abort(errCut)
		})
	}
}

// What a lossy buffer keeps must not keep the whole read it came with.
func TestLossyBufferDoesNotKeepWholeReads(t *testing.T) {
	const bound = 300
	step, over := make(chan struct{}), make(chan struct{})
	s, _ := newFake(t, false, func(c *Config) {
		c.ReadBuffer = Dropping(bound)
		c.OnEvent = func(*Session, Event) {
			select {
			case step <- struct{}{}:
			case <-over:
			}
		}
	})
	r := s.attach(newFakeLink(unbounded))
	read := bytes.Repeat(framed(string(make([]byte, 200))), bound)
	before := heap()
	for range 2 * bound { // each read finds room for one message
		_, _, err := r.Feed(read, false)
		require.NoError(t, err)
		<-step
	}
	require.Less(t, heap()-before, int64(bound*len(read)/4))
	require.Greater(t, s.Stats().Unread, bound/2)
	close(over)
	s.abort(errCut)
}

// heap returns how much memory is in use, when payloads' has come back and was left unused.
func heap() int64 {
	for range 4 {
		over := make(chan struct{})
		runtime.SetFinalizer(new([64]byte), func(*[64]byte) { close(over) })
		runtime.GC()
		<-over
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
