package recycle

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
	"unsafe"
	"weak"

	"github.com/stretchr/testify/require"
)

// Every way of keeping a part of a block, of which each must keep the whole block.
var keeps = map[string]func(c []byte) (look func() byte){
	"whole":     func(c []byte) func() byte { return func() byte { return c[len(c)-1] } },
	"part":      func(c []byte) func() byte { c = c[500:501]; return func() byte { return c[0] } },
	"last byte": func(c []byte) func() byte { p := &c[len(c)-1]; return func() byte { return *p } },
	"string":    func(c []byte) func() byte { s := unsafe.String(&c[0], len(c)); return func() byte { return s[9] } },
	"substring": func(c []byte) func() byte {
		s := unsafe.String(&c[0], len(c))[700:]
		return func() byte { return s[9] }
	},
	"array":       func(c []byte) func() byte { a := (*[64]byte)(c[100:]); return func() byte { return a[63] } },
	"empty part":  func(c []byte) func() byte { c = c[300:300]; return func() byte { return c[:1][0] } },
	"from weak":   func(c []byte) func() byte { p := weak.Make(&c[40]).Value(); return func() byte { return *p } },
	"by finalize": func(c []byte) func() byte { return finalized(c) },
}

// finalized keeps c by nothing but an object whose finalizer has not run.
func finalized(c []byte) func() byte {
	type owner struct{ c []byte }
	last := make(chan byte, 1)
	runtime.SetFinalizer(&owner{c}, func(o *owner) { last <- o.c[len(o.c)/2] })
	return func() byte { return <-last }
}

// What is kept stays as it was while other blocks come back, are overwritten, and are used again.
func TestKeptPartsStay(t *testing.T) {
	if !reuse {
		t.Skip("no memory comes back, and overwriting it would be reported as a race")
	}
	for name, keep := range keeps {
		t.Run(name, func(t *testing.T) {
			m := overwriting()
			const size = 3000 // of a block of 3 KiB
			const kept = 50
			var looks []func() byte
			for i := range kept {
				looks = append(looks, keep(m.clone(bytes.Repeat([]byte{byte(i)}, size))))
			}
			for range 5 {
				for range 1000 {
					m.clone(bytes.Repeat([]byte{0xFF}, size))
				}
				left := kept * int64(m.class(size).size)
				if name == "by finalize" {
					left = 0
				}
				collect(t, m, left)
			}
			for i, look := range looks {
				require.EqualValues(t, i, look(), "a kept payload has changed")
			}
			clear(looks)
			collect(t, m, 0)
		})
	}
}

// The test above is able to fail: blocks that nothing refers to do change.
func TestWhatIsNotKeptChanges(t *testing.T) {
	if !reuse {
		t.Skip("no memory comes back")
	}
	m := overwriting()
	for range 10 { // since a pool hands the last one out only where it was put
		require.EqualValues(t, 1, m.clone(bytes.Repeat([]byte{1}, 3000))[1000])
	}
	collect(t, m, 0)
	p, _ := m.class(3000).free.Get().(*byte)
	require.NotNil(t, p, "the block came back")
	require.EqualValues(t, overwritten, unsafe.Slice(p, 3000)[1000])
}

// A weak pointer to any byte is nil before the block is used again, and stays so, though the
// block lives on with other owners.
func TestWeakPointersStayNil(t *testing.T) {
	if !reuse {
		t.Skip("no memory comes back")
	}
	m := overwriting()
	const size, n = 4096, 200
	type ref struct {
		p    weak.Pointer[byte]
		addr uintptr
	}
	var refs []ref
	for i := range n {
		c := m.clone(bytes.Repeat([]byte{1}, size))
		at := &c[i*size/n]
		require.Equal(t, at, weak.Make(at).Value())
		refs = append(refs, ref{weak.Make(at), uintptr(unsafe.Pointer(at))})
	}
	again := 0
	for range 20 {
		collect(t, m, 0)
		var owners [][]byte
		for range n {
			c := m.clone(bytes.Repeat([]byte{2}, size))
			owners = append(owners, c)
			start := uintptr(unsafe.Pointer(&c[0]))
			for _, r := range refs {
				if r.addr >= start && r.addr < start+size {
					again++
					require.Nil(t, r.p.Value())
					require.NotEqual(t, r.p, weak.Make(&c[r.addr-start]), "a new owner's is another one")
					require.Nil(t, r.p.Value())
				}
			}
		}
		runtime.KeepAlive(owners)
	}
	require.Positive(t, again, "blocks were used again")
}

// While blocks are collected, Value yields nil or a payload that is whole, and keeps it so.
func TestWeakPointersWhileCollecting(t *testing.T) {
	if !reuse {
		t.Skip("no memory comes back, and overwriting it would be reported as a race")
	}
	m := overwriting()
	over := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
				runtime.GC()
			}
		}
	})
	found, gone := 0, 0
	for range 2000 {
		var refs []weak.Pointer[byte]
		for range 8 {
			refs = append(refs, weak.Make(&m.clone(bytes.Repeat([]byte{1}, 2048))[1000]))
		}
		for range 4 {
			for _, r := range refs {
				if p := r.Value(); p != nil {
					found++
					require.EqualValues(t, 1, *p)
					m.clone(bytes.Repeat([]byte{2}, 2048))
					require.EqualValues(t, 1, *p)
				} else {
					gone++
				}
			}
		}
	}
	close(over)
	all.Wait()
	t.Logf("%d found, %d gone", found, gone)
	collect(t, m, 0)
}

// A part of some payloads is kept by several goroutines while the memory of others comes back.
func TestKeptPayloadsStay(t *testing.T) {
	m := shared
	if reuse {
		m = overwriting()
		defer collect(t, m, 0)
	}
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() { keepSome(t, m, rand.New(rand.NewPCG(uint64(g), 1))) })
	}
	all.Wait()
}

func keepSome(t *testing.T, m *memory, rng *rand.Rand) {
	type piece struct {
		b    []byte
		want byte
	}
	var kept []piece
	scratch := make([]byte, 64<<10)
	for i := range 2000 {
		want := byte(rng.UintN(overwritten))
		p := scratch[:1+rng.IntN(len(scratch))]
		for j := range p {
			p[j] = want
		}
		b := m.clone(p)
		at := rng.IntN(len(b))
		kept = append(kept, piece{b[at:min(len(b), at+1+rng.IntN(8))], want})
		if len(kept) > 100 {
			old := rng.IntN(len(kept))
			if slices.ContainsFunc(kept[old].b, func(got byte) bool { return got != kept[old].want }) {
				t.Error("a kept payload has changed")
				return
			}
			kept[old] = kept[len(kept)-1]
			kept = kept[:len(kept)-1]
		}
		if i%400 == 0 {
			runtime.GC()
		}
	}
}

// A cleanup of the user's runs when the block goes to the allocator, and does not hinder its use.
func TestCleanupOfTheUser(t *testing.T) {
	ran := make(chan struct{})
	runtime.AddCleanup(&Clone(make([]byte, 2048))[5], func(ran chan struct{}) { close(ran) }, ran)
	for end := time.Now().Add(10 * time.Second); ; runtime.GC() {
		select {
		case <-ran:
			return
		default:
			require.True(t, time.Now().Before(end), "the cleanup did not run")
		}
	}
}

// A finalizer of the user's on a payload ends the program; taking ours off makes ordinary memory.
func TestFinalizerOfTheUser(t *testing.T) {
	if !reuse {
		t.Skip("payloads have no finalizer")
	}
	if os.Getenv("RECYCLE_TEST_FINALIZER") != "" {
		runtime.SetFinalizer(&Clone(make([]byte, 2048))[0], func(*byte) {})
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestFinalizerOfTheUser$")
	cmd.Env = append(os.Environ(), "RECYCLE_TEST_FINALIZER=1")
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "finalizer already set")

	m := newMemory(true)
	runtime.SetFinalizer(&m.clone(make([]byte, 2048))[0], nil)
	for range 3 {
		runtime.GC()
	}
	require.EqualValues(t, 2048, m.pending.Load())
}
