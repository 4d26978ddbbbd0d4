package calls

import (
	"context"
	"errors"
	"testing"
	"time"
)

func quick(addr string, window int) Options {
	return Options{Addr: addr, Window: window, Payload: 128, Warm: 20 * time.Millisecond, Measure: 50 * time.Millisecond}
}

func TestEveryLibraryAnswers(t *testing.T) {
	for name, lib := range Libraries {
		t.Run(name, func(t *testing.T) {
			addr, err := lib.Serve()
			if err != nil {
				t.Fatal(err)
			}
			for _, window := range []int{1, 100} {
				r, err := Run(lib, quick(addr, window))
				if err != nil {
					t.Fatalf("%d: %v", window, err)
				}
				if r.Messages == 0 || window == 1 && r.P50 == 0 {
					t.Errorf("%d: implausible: %d calls, p50 %v µs", window, r.Messages, r.P50)
				}
			}
		})
	}
}

func TestALyingLibraryIsFoundOut(t *testing.T) {
	lie := Library{Dial: func(string) (Call, error) {
		return func(context.Context, []byte) ([]byte, error) { return []byte("another reply"), nil }, nil
	}}
	if _, err := Run(lie, quick("", 2)); !errors.Is(err, errMismatch) {
		t.Errorf("got %v", err)
	}
}
