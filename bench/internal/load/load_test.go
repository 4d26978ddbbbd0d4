package load

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netasync/netasync/bench/internal/wire"
)

// serve answers each frame with what change makes of it, on a port of its own.
func serve(t *testing.T, change func(i int, frame []byte) []byte) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go answer(c, change)
		}
	}()
	return l.Addr().String()
}

func answer(c net.Conn, change func(i int, frame []byte) []byte) {
	defer c.Close()
	for i := 0; ; i++ {
		frame := make([]byte, wire.HeaderLen)
		if _, err := io.ReadFull(c, frame); err != nil {
			return
		}
		frame = append(frame, make([]byte, wire.Length(frame))...)
		if _, err := io.ReadFull(c, frame[wire.HeaderLen:]); err != nil {
			return
		}
		out := change(i, frame)
		if out == nil {
			return
		}
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}

func honest(_ int, frame []byte) []byte { return frame }

func short(addr string, conns, window, payload int) Options {
	return Options{
		Addr: addr, Conns: conns, Window: window, Payload: payload, Threads: 2,
		Warm: 10 * time.Millisecond, Measure: 50 * time.Millisecond,
	}
}

func TestHonestServersAreMeasured(t *testing.T) {
	for _, size := range []int{16, 1 << 10, 256 << 10} {
		r, err := Run(short(serve(t, honest), 3, 4, size))
		if err != nil {
			t.Fatalf("%d B: %v", size, err)
		}
		if r.Messages == 0 || r.PerSec <= 0 || r.P50 <= 0 || r.P99 < r.P50 {
			t.Errorf("%d B: implausible result %+v", size, r)
		}
	}
}

func TestBeginAndEndFrameTheMeasuredTime(t *testing.T) {
	o := short(serve(t, honest), 1, 1, 16)
	var begin, end time.Time
	o.Begin = func() { begin = time.Now() }
	o.End = func() { end = time.Now() }
	if _, err := Run(o); err != nil {
		t.Fatal(err)
	}
	if got := end.Sub(begin); got < o.Measure {
		t.Errorf("end came %v after begin, before the measured %v were over", got, o.Measure)
	}
}

func TestLyingServersAreFoundOut(t *testing.T) {
	const later = 50 // past the hello
	for _, lie := range []struct {
		name   string
		change func(i int, frame []byte) []byte
		want   error
	}{
		{"flips a bit", func(i int, f []byte) []byte {
			if i == later {
				f[len(f)-1] ^= 1
			}
			return f
		}, errMismatch},
		{"says things twice", func(i int, f []byte) []byte {
			if i == later {
				return append(f, f...)
			}
			return f
		}, errMismatch},
		{"hangs up", func(i int, f []byte) []byte {
			if i == later {
				return nil
			}
			return f
		}, errHungUp},
		{"falls silent", func(i int, f []byte) []byte {
			if i >= later {
				return []byte{}
			}
			return f
		}, errStalled},
	} {
		o := short(serve(t, lie.change), 1, 4, 16)
		if errors.Is(lie.want, errStalled) {
			o.Warm = 100 * time.Millisecond
		}
		if _, err := Run(o); !errors.Is(err, lie.want) {
			t.Errorf("a server that %s: got %v, want %v", lie.name, err, lie.want)
		}
	}
}

// What is wrong only after the measured time counts as well.
func TestMessagesKeptInTheEndAreFoundOut(t *testing.T) {
	var over atomic.Bool
	kept := make(chan struct{})
	o := short(serve(t, func(_ int, f []byte) []byte {
		if !over.Load() {
			return f
		}
		close(kept) // once: there is one message under way
		return []byte{}
	}), 1, 1, 16)
	o.End = func() {
		over.Store(true)
		<-kept
	}
	o.Drain = 50 * time.Millisecond
	if _, err := Run(o); !errors.Is(err, errLost) {
		t.Errorf("got %v", err)
	}
}

// The worker looks once more when everything is back.
func TestMessagesBehindTheLastAreFoundOut(t *testing.T) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(ends[:])
	var now atomic.Int32
	now.Store(int32(draining))
	tape := wire.NewTape(16, 1)
	w, err := newWorker(ends[:1], 0, 1, tape, Options{Window: 1}, &now)
	if err != nil {
		t.Fatal(err)
	}
	w.buf = w.buf[:tape.FrameLen()] // takes what was due, and not what is behind it
	if err := writeFull(ends[1], tape.Slice(uint64(tape.FrameLen()), tape.FrameLen())); err != nil {
		t.Fatal(err)
	}
	if err := writeFull(ends[1], []byte("more")); err != nil {
		t.Fatal(err)
	}
	if err := w.run(); !errors.Is(err, errTooMuch) {
		t.Errorf("got %v", err)
	}
}

func TestCrossedConnectionsAreFoundOut(t *testing.T) {
	var mu sync.Mutex
	var kept []byte // what the one connection was due, for the other
	crossing := func(i int, f []byte) []byte {
		if i != 50 {
			return f
		}
		mu.Lock()
		defer mu.Unlock()
		if kept == nil {
			kept = f
			return f
		}
		return kept
	}
	if _, err := Run(short(serve(t, crossing), 2, 4, 16)); !errors.Is(err, errMismatch) {
		t.Errorf("got %v", err)
	}
}

func TestFloodIsOne(t *testing.T) {
	o := short(serve(t, honest), 2, 1, 128)
	o.Flooded = true
	if _, err := Run(o); err != nil {
		t.Fatal(err)
	}
}

func TestFloodThatIsNoneOrComesBackWrong(t *testing.T) {
	f := &flood{poured: floodLeast + 10, sipped: 11}
	f.conn, _ = net.Pipe()
	if err := f.stop(); !errors.Is(err, errDry) {
		t.Errorf("hardly anything waited: got %v", err)
	}
	addr := serve(t, func(_ int, frame []byte) []byte {
		frame[wire.HeaderLen] ^= 1
		return frame
	})
	f, err := startFlood(addr, 128)
	if err != nil {
		t.Fatal(err)
	}
	defer f.conn.Close()
	f.both.Wait() // sip ends at the first wrong byte, and pour with the connection
	if err := f.stop(); !errors.Is(err, errMismatch) {
		t.Errorf("a wrong echo: got %v", err)
	}
}

func TestCrowdHearsHeartbeats(t *testing.T) {
	const n = 300
	beat := []byte{0, 0, 0, 0}
	addr := serve(t, func(_ int, f []byte) []byte { return append(f, beat...) })
	crowd, err := OpenCrowd(addr, n, 16)
	if err != nil {
		t.Fatal(err)
	}
	defer crowd.Close()
	heard := 0
	for deadline := time.Now().Add(patience); heard < n && time.Now().Before(deadline); {
		more, err := crowd.Heard()
		if err != nil {
			t.Fatal(err)
		}
		heard += more
	}
	if heard != n {
		t.Errorf("%d heartbeats of %d were heard", heard, n)
	}
}
