package measure

import (
	"context"
	"io"
	"testing"

	"github.com/netasync/netasync/bench/internal/result"
)

// counted is a case that measures nothing.
type counted struct{ header }

func (c counted) Measure(_ context.Context, subject string) (result.Sample, error) {
	return c.sample(subject, map[string]float64{result.PerSecond: 1}), nil
}

func TestACaseMayHaveFewerRounds(t *testing.T) {
	one := func(key string, rounds int) Case {
		return counted{header{info: result.Case{Key: key}, subjects: []string{"chan"}, rounds: rounds}}
	}
	f := &result.File{}
	Run(context.Background(), Profile{Rounds: 5, Cases: []Case{one("all", 0), one("some", 3), one("many", 9)}}, f, io.Discard)
	for key, want := range map[string]int{"all": 5, "some": 3, "many": 5} {
		if got := len(f.Lookup(key, "chan", result.PerSecond).Rounds); got != want {
			t.Errorf("%s was measured %d times, want %d", key, got, want)
		}
	}
}
