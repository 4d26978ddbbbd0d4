package netasynctest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/netasync/netasync"
)

// Patience is how long Expect waits, and Pair, and NoLeaks. In a bubble it is that of the bubble's
// clock.
const Patience = 5 * time.Second

// grace is how long nothing has come when Drain takes it that nothing more will. In a bubble time goes
// on only when all goroutines wait, so whatever could come has come by then.
const grace = time.Millisecond

// Source is what events come from: a *netasync.Session, or a *Recording where there is OnEvent.
type Source interface {
	// Recv returns the next event, waiting for it, or an error: io.EOF after Closed, or ctx's.
	Recv(ctx context.Context) (netasync.Event, error)
}

// Expect wants events in this order, with nothing between, within Patience, and returns them. What
// comes later stays where it is. A failure shows all events that have come.
func Expect(t testing.TB, s Source, events ...Matcher) []netasync.Event {
	t.Helper()
	return ExpectWithin(t, Patience, s, events...)
}

// ExpectWithin is Expect with another patience. What happens in a bubble when exactly that is over is in
// time.
func ExpectWithin(t testing.TB, d time.Duration, s Source, events ...Matcher) []netasync.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d+1)
	defer cancel()
	var came []netasync.Event
	for i, matches := range events {
		ev, err := s.Recv(ctx)
		got := describe(ev)
		if err == nil {
			came = append(came, ev)
			err = matches(ev)
		} else {
			got = nothing(err, d)
			err = matches(netasync.Event{})
		}
		if err != nil {
			more, _ := waiting(s)
			came = append(came, more...)
			t.Fatalf("netasynctest: event %d of %d is to be\n\t%v\nand is\n\t%s\n%s", i+1, len(events), err, got, list(came))
		}
	}
	return came
}

// nothing says why there is no event.
func nothing(err error, d time.Duration) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("missing after %v", d)
	case errors.Is(err, io.EOF):
		return "missing: the session has closed"
	}
	return "missing: " + err.Error()
}

// list shows events.
func list(came []netasync.Event) string {
	if len(came) == 0 {
		return "no event has come"
	}
	var b strings.Builder
	b.WriteString("all events that have come:")
	for i, ev := range came {
		fmt.Fprintf(&b, "\n\t%d  %s", i+1, describe(ev))
	}
	return b.String()
}

// Quiet wants that no event comes for so long. It returns early if the session has closed.
func Quiet(t testing.TB, s Source, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	if ev, err := s.Recv(ctx); err == nil {
		more, _ := waiting(s)
		t.Fatalf("netasynctest: it is to be quiet for %v\n%s", d, list(append([]netasync.Event{ev}, more...)))
	} else if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
}

// Drain returns the events that wait, until none has come for a millisecond. In a bubble those are all
// that can come without time going on.
func Drain(t testing.TB, s Source) []netasync.Event {
	t.Helper()
	events, err := waiting(s)
	if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return events
}

// waiting takes the events that wait, and says why there are no more.
func waiting(s Source) (events []netasync.Event, err error) {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), grace)
		ev, err := s.Recv(ctx)
		cancel()
		if err != nil {
			return events, err
		}
		events = append(events, ev)
	}
}
