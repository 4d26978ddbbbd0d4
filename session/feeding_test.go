package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/internal/testkit"
)

// This is the model that FuzzSession compares a session with, and how.

// model queues what has arrived by now, as the policy says.
func (r *feeding) model() {
	payloads, rest, _ := testkit.Framing(r.format).Split(r.fed, r.most)
	r.fed = rest
	for _, m := range payloads {
		if len(m) == 0 {
			continue
		}
		if r.way.consumer() == "Inline" {
			r.want = append(r.want, m)
			continue
		}
		for r.limit.Policy == PolicySliding && r.modelFull() {
			r.waiting = r.waiting[1:]
		}
		if r.limit.Policy == PolicyDropping && r.modelFull() {
			continue
		}
		r.waiting = append(r.waiting, m)
	}
}

func (r *feeding) modelFull() bool {
	bytes := 0
	for _, m := range r.waiting {
		bytes += len(m)
	}
	return len(r.waiting) >= r.limit.Cap || bytes >= r.limit.Bytes
}

// bounded checks what waits in the session against its bounds: as a whole message may come last, it
// may be past them by one.
func (r *feeding) bounded() {
	in := r.s.in
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.messages > in.limit.Cap || in.bytes >= in.limit.Bytes+max(1, r.most) {
		r.t.Fatalf("%d messages of %d bytes wait, the bounds are %d and %d",
			in.messages, in.bytes, in.limit.Cap, in.limit.Bytes)
	}
}

// finish ends the connection as the engine would, takes what is left, and compares.
func (r *feeding) finish(wire []byte) {
	payloads, _, stop := testkit.Framing(r.format).Split(wire, r.most)
	end := map[testkit.Stop]error{
		testkit.Between: io.EOF, testkit.Inside: io.ErrUnexpectedEOF,
		testkit.TooLarge: codec.ErrFrameTooLarge, testkit.Malformed: codec.ErrBadHeader,
	}[stop]
	wrong := stop == testkit.TooLarge || stop == testkit.Malformed
	if wrong != (r.err != nil) || wrong && !errors.Is(r.err, end) {
		r.t.Fatalf("Feed says %v, want %v", r.err, end)
	}
	if r.err == nil {
		r.err = io.EOF
	}
	r.checkEcho(payloads)
	r.c.End(r.err)
	testkit.Ended(r.t, r.s.Done()) // not at once, if a writer is at work
	if rest, leave, err := r.c.Feed(testkit.Frames("late"), r.onLoop); len(rest) > 0 || leave || err != nil {
		r.t.Fatal("what comes late is thrown away", len(rest), leave, err)
	}
	r.drain()
	r.compare(payloads, end)
}

// drain takes all that is left.
func (r *feeding) drain() {
	switch r.way.consumer() {
	case "ReadChan":
		for len(r.got) == 0 || r.got[len(r.got)-1].Kind != Closed {
			r.received(testkit.Take(r.t, r.s.ReadChan()))
		}
		testkit.Ended(r.t, r.s.ReadChan())
	case "Recv":
		for r.take() {
		}
		if _, err := r.s.Recv(context.Background()); !errors.Is(err, io.EOF) {
			r.t.Fatal("after Closed comes", err)
		}
	default:
		r.host.run()
	}
	r.want, r.waiting = append(r.want, r.waiting...), nil
}

// checkEcho compares what was sent with what was received, which it is in the case of callbacks.
func (r *feeding) checkEcho(payloads [][]byte) {
	if !r.way.echoes() || r.way.consumer() != "Inline" {
		return
	}
	var want []byte
	for _, p := range payloads {
		if len(p) > 0 {
			want = append(want, testkit.Framing(r.format).Frame(p)...)
		}
	}
	r.link.allow(tightNoMore)
	testkit.Eventually(r.t, func() bool { return len(r.link.written()) >= len(want) }, "an echo of %d bytes", len(want))
	if !slices.Equal(want, r.link.written()) {
		r.t.Fatal("the echo differs")
	}
}

// compare compares the events that came with the model's.
func (r *feeding) compare(payloads [][]byte, end error) {
	t, last := r.t, len(r.got)-1
	if last < 1 || r.got[0].Kind != Connected || r.got[last].Kind != Closed {
		t.Fatalf("%d events, not from Connected to Closed", len(r.got))
	}
	if !errors.Is(r.got[last].Err, end) || r.got[last].Queued != 0 && !r.way.echoes() {
		t.Fatalf("Closed says %v, %d queued; want %v", r.got[last].Err, r.got[last].Queued, end)
	}
	var got [][]byte
	for _, ev := range r.got[1:last] {
		if ev.Kind != Message || ev.Epoch != 1 || ev.Err != nil {
			t.Fatalf("an event in between is %v", ev)
		}
		got = append(got, ev.Payload)
	}
	stats := r.s.Stats()
	messages := slices.DeleteFunc(payloads, func(p []byte) bool { return len(p) == 0 })
	if int(stats.Received) != len(messages) || int(stats.Dropped) != len(messages)-len(got) {
		t.Fatalf("received %d and dropped %d of %d, of which %d came", stats.Received, stats.Dropped, len(messages), len(got))
	}
	want := r.want
	if r.limit.Policy == PolicyFixed {
		want = messages
	} else if r.way.consumer() == "ReadChan" {
		want = common(messages, got)
	}
	if !slices.EqualFunc(want, got, slices.Equal[[]byte]) {
		t.Fatalf("%d messages came, want %d: %s", len(got), len(want), clip(fmt.Sprintf("%q, want %q", got, want)))
	}
}

// common returns the messages that have come, in the order of the wire.
func common(wire, got [][]byte) (found [][]byte) {
	for _, m := range wire {
		if len(got) > 0 && slices.Equal(m, got[0]) {
			found, got = append(found, m), got[1:]
		}
	}
	return found
}

// clip keeps a failure readable.
func clip(s string) string { return s[:min(len(s), 500)] }
