package proof

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/netasync/netasync/cluster"
)

// Nodes also send to names by streams, as senders of their own.

// batch is how many messages a stream is given before it is asked what has become of them.
const batch = 5

// streamOf is what a node's stream is called as a sender.
func streamOf(node string) string { return node + "~" }

// stream sends numbered messages to a name by a stream, and tells what Flush has said of each batch.
func (h *host) stream(ctx context.Context, name string, every time.Duration) {
	ticks := time.NewTicker(batch * every)
	defer ticks.Stop()
	to := h.node.Session(name)
	for number := 1; ; {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
		var given []report
		for range batch {
			r := report{
				Is: "sent", Node: streamOf(h.Name), Name: name, Number: number, Outcome: "none", Began: time.Now().UnixNano(),
			}
			until, cancel := context.WithTimeout(context.Background(), patience)
			err := to.Send(until, fmt.Appendf(nil, "M %s %s %d", r.Node, name, number))
			cancel()
			if number++; err != nil {
				r.Outcome, r.Text = refusal(err), err.Error()
				h.tell(r)
				continue
			}
			given = append(given, r)
		}
		h.tellFates(given, to.Flush(context.Background()))
	}
}

// refusal is the outcome of a message that a stream has not accepted.
func refusal(err error) string {
	if errors.Is(err, cluster.ErrNoSession) || errors.Is(err, cluster.ErrNoLink) || errors.Is(err, context.DeadlineExceeded) {
		return "none"
	}
	return "other"
}

// tellFates tells what has become of messages. Where Flush does not say so of each, it says of how many.
func (h *host) tellFates(given []report, err error) {
	var u *cluster.UndeliveredError
	all, text := "ok", ""
	switch {
	case err == nil:
	case !errors.As(err, &u) || u.NotQueued+u.Unknown > len(given):
		h.wrong("a stream was given %d messages: %v", len(given), err)
		all = "unknown"
	case u.NotQueued == len(given):
		all = "none"
	default:
		all = "unknown"
	}
	if err != nil {
		text = err.Error()
	}
	for _, r := range given {
		r.Outcome, r.Text = all, text
		h.tell(r)
	}
	if u != nil && all == "unknown" && len(given) > 0 {
		h.tell(report{
			Is: "batch", Node: given[0].Node, Name: given[0].Name, Number: given[0].Number, Session: uint64(len(given)),
			Queued: len(given) - u.NotQueued - u.Unknown, Lost: u.NotQueued, Text: text,
		})
	}
}

// overdelivered returns the batches of which more has come than Flush has said may have been queued.
func (b *books) overdelivered() (found []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.batches {
		came := 0
		for i := range int(r.Session) {
			if _, is := b.came[key{r.Node, r.Name, r.Number + i}]; is {
				came++
			}
		}
		if most := int(r.Session) - r.Lost; came > most {
			found = append(found, fmt.Sprintf("%s to %s: %d of %d, where %q", r.Node, r.Name, came, r.Session, r.Text))
		}
	}
	return found
}
