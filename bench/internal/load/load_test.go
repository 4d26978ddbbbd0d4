package load

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

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
	lies := []struct {
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
		{"keeps the last messages", func(i int, f []byte) []byte {
			if i >= later {
				return []byte{}
			}
			return f
		}, errStalled},
	}
	for _, lie := range lies {
		o := short(serve(t, lie.change), 1, 4, 16)
		if errors.Is(lie.want, errStalled) {
			o.Warm = 100 * time.Millisecond
		}
		if _, err := Run(o); !errors.Is(err, lie.want) {
			t.Errorf("a server that %s: got %v, want %v", lie.name, err, lie.want)
		}
	}
}

func TestFloodStopsWithTheRun(t *testing.T) {
	o := short(serve(t, honest), 2, 1, 128)
	o.Flooded = true
	if _, err := Run(o); err != nil {
		t.Fatal(err)
	}
}

func TestCrowdOpensAndCloses(t *testing.T) {
	crowd, err := OpenCrowd(serve(t, honest), 300, 16)
	if err != nil {
		t.Fatal(err)
	}
	crowd.Close()
}
