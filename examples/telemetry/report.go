package main

import (
	"fmt"
	"io"
	"runtime/metrics"
	"time"

	"github.com/netasync/netasync"
)

// report prints how it goes. All its figures are the library's own, or the runtime's.
type report struct {
	out      io.Writer
	f        *fleet
	c        *collector
	begin    time.Time
	last     netasync.Totals // of the line before
	received uint64          // of the line before
	dials    uint64          // most in a second
	memory   []metrics.Sample
}

const (
	head = "  time  collector  connected  queued | in this second: dials  connections  received  dropped | heap MiB  goroutines\n"
	line = "%5.0fs  %-9s  %9d  %6d | %21d  %11d  %8d  %7d | %8.1f  %10d\n"
)

func newReport(out io.Writer, f *fleet, c *collector) *report {
	fmt.Fprint(out, head)
	return &report{out: out, f: f, c: c, begin: time.Now(), memory: []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/sched/goroutines:goroutines"},
	}}
}

// line prints how it is now, and what has happened since the line before.
func (r *report) line() {
	now, received := r.f.engine.Stats().Totals, r.c.received()
	state := "down"
	if r.c.up() {
		state = "up"
	}
	metrics.Read(r.memory)
	dials := now.Attempts - r.last.Attempts
	fmt.Fprintf(r.out, line, time.Since(r.begin).Seconds(), state, now.Connected, now.Queued,
		dials, now.Connections-r.last.Connections, received-r.received, now.Dropped-r.last.Dropped,
		float64(r.memory[0].Value.Uint64())/(1<<20), r.memory[1].Value.Uint64())
	r.last, r.received, r.dials = now, received, max(r.dials, dials)
}

// summary prints where all readings have gone, when both ends have ended. It is an error if that is not
// the whole truth.
func (r *report) summary() error {
	t, received := r.f.engine.Stats().Totals, r.c.received()
	queued := t.Queued + t.Unsent
	lost := t.Sent - received // the operating system had them when their connection was cut
	fmt.Fprintf(r.out, "%d sensors, %.0fs, %d restarts: %d connections, %d dials, at most %d in one second\n",
		len(r.f.sensors), time.Since(r.begin).Seconds(), r.c.kills, t.Connections, t.Attempts, r.dials)
	fmt.Fprintf(r.out, "accepted %d = received %d + dropped %d + queued %d + lost with a connection %d\n",
		t.Accepted, received, t.Dropped, queued, lost)
	skipped, misplaced := r.c.skipped.Load(), r.c.misplaced.Load()
	fmt.Fprintf(r.out, "by their numbers: %d never came, %d came twice or out of order\n", skipped, misplaced)
	switch {
	case received > t.Sent || t.Accepted != received+t.Dropped+queued+lost:
		return fmt.Errorf("the figures do not add up: %+v", t)
	case t.Accepted != r.f.taken:
		return fmt.Errorf("%d readings were taken, but %d accepted", r.f.taken, t.Accepted)
	case skipped > t.Dropped+lost:
		return fmt.Errorf("%d readings never came, but only %d were dropped or lost", skipped, t.Dropped+lost)
	case misplaced > 0:
		return fmt.Errorf("%d readings came twice or out of order", misplaced)
	}
	return nil
}
