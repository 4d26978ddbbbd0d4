// Package measure carries out the cases: it starts the processes of each, lets them meet, and reads the figures.
package measure

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/netasync/netasync/bench/internal/child"
	"github.com/netasync/netasync/bench/internal/result"
)

// Case is one thing that is measured, for each of its subjects.
type Case interface {
	Info() result.Case
	Subjects() []string
	// Rounds is in how many rounds of a run the case is measured, the first ones; 0 for all.
	Rounds() int
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
	rounds   int           // 0 for all
	before   child.Program // what the subjects of a comparison that end in result.Before run from
}

func (h header) Info() result.Case  { return h.info }
func (h header) Subjects() []string { return h.subjects }
func (h header) Rounds() int        { return h.rounds }

func (h header) sample(subject string, values map[string]float64) result.Sample {
	return result.Sample{Subject: subject, Values: values}
}

// program tells which build a subject runs from, and what that build calls it.
func (h header) program(subject string) (child.Program, string) {
	if name, ok := strings.CutSuffix(subject, result.Before); ok {
		return h.before, name
	}
	return child.This, subject
}

// serve starts the echo server of a subject.
func (h header) serve(ctx context.Context, subject string, beam Beam, more ...string) (*child.Process, string, error) {
	program, kind := h.program(subject)
	return program.StartServer(ctx, serverArgs(kind, beam, more...)...)
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
