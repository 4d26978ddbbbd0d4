// Package measure carries out the cases: it starts the processes of each, lets them meet, and reads the figures.
package measure

import (
	"context"
	"strconv"
	"time"

	"github.com/netasync/netasync/bench/internal/result"
)

// Case is one thing that is measured, for each of its subjects.
type Case interface {
	Info() result.Case
	Subjects() []string
	// Measure runs one subject once.
	Measure(ctx context.Context, subject string) (result.Sample, error)
}

// Times are how long the loads of a run take.
type Times struct {
	Warm    time.Duration
	Measure time.Duration
}

// header is what all cases have.
type header struct {
	info     result.Case
	subjects []string
}

func (h header) Info() result.Case  { return h.info }
func (h header) Subjects() []string { return h.subjects }

func (h header) sample(subject string, values map[string]float64) result.Sample {
	return result.Sample{Subject: subject, Values: values}
}

// Beam is the directory of the compiled Erlang server; empty where Erlang is not installed.
type Beam string

// Erlang is the subject that needs it.
const Erlang = "erlang"

func without(subjects []string, absent string) []string {
	var rest []string
	for _, s := range subjects {
		if s != absent {
			rest = append(rest, s)
		}
	}
	return rest
}

func itoa(n int) string { return strconv.Itoa(n) }
