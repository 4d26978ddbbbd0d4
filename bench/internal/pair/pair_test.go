package pair

import (
	"errors"
	"testing"
	"time"
)

func quick(addr string, window, payload int) Options {
	return Options{Addr: addr, Window: window, Payload: payload, Warm: 20 * time.Millisecond, Measure: 50 * time.Millisecond}
}

func TestEveryLibraryEchoes(t *testing.T) {
	for name, lib := range Libraries {
		t.Run(name, func(t *testing.T) {
			for _, c := range []struct{ window, payload int }{{1, 128}, {100, 16}, {4, 64 << 10}} {
				addr, err := lib.Serve() // a pair socket serves one peer in its life
				if err != nil {
					t.Fatal(err)
				}
				r, err := Run(lib, quick(addr, c.window, c.payload))
				if err != nil {
					t.Fatalf("%d × %d B: %v", c.window, c.payload, err)
				}
				if r.Messages == 0 || (c.window == 1) != (r.P50 > 0) {
					t.Errorf("%d × %d B: implausible: %d messages, p50 %v µs", c.window, c.payload, r.Messages, r.P50)
				}
			}
		})
	}
}

// liar wraps a library and changes what comes back.
func liar(lib Library, change func(i int, m []byte, got func([]byte))) Library {
	return Library{Serve: lib.Serve, Dial: func(addr string, got func([]byte)) (Peer, error) {
		i := 0
		return lib.Dial(addr, func(m []byte) {
			i++
			change(i, m, got)
		})
	}}
}

func TestLyingLibrariesAreFoundOut(t *testing.T) {
	lose := liar(netchanPair, func(i int, m []byte, got func([]byte)) {
		if i != 1000 {
			got(m)
		}
	})
	alter := liar(netchanPair, func(i int, m []byte, got func([]byte)) {
		m[len(m)-1] ^= 1
		got(m)
	})
	for name, lib := range map[string]Library{"loses one": lose, "alters one": alter} {
		addr, err := lib.Serve()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Run(lib, quick(addr, 100, 16)); !errors.Is(err, errMismatch) {
			t.Errorf("a library that %s: got %v", name, err)
		}
	}
}
