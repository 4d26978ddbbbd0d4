package main

import (
	"fmt"
	"slices"
	"time"
)

// flight is what was sent and has not been answered, oldest first. The server
// answers in order, so a reply belongs to the oldest, with one
// exception: delivery is at most once, and what the old connection had taken
// when it broke may be gone. The library sends the rest on the next connection,
// so the lost messages are the oldest ones, and the first reply on the
// new connection tells how many they are.
type flight struct {
	waiting  []expectation
	doubtful int // how many of waiting, from the oldest, an outage may have taken
	verified int
	rtts     []time.Duration
}

type expectation struct {
	text string
	at   time.Time
}

// wrongReply is a reply that answers nothing it could answer.
type wrongReply struct{ got, want string }

func (w wrongReply) Error() string {
	return fmt.Sprintf("wrong reply: got %s, want %s", abbreviate(w.got), w.want)
}

// ExitStatus is that of the program which has got it.
func (w wrongReply) ExitStatus() int { return 2 }

func (f *flight) sent(text string) {
	f.waiting = append(f.waiting, expectation{text, time.Now()})
}

// open counts the messages that will be answered for certain, unless the
// connection breaks again. Doubtful ones do not take up the window: if
// all of them were lost, no reply would ever open it.
func (f *flight) open() int { return len(f.waiting) - f.doubtful }

// disconnected notes an outage that kept the newest messages for the next
// connection.
func (f *flight) disconnected(kept int) {
	f.doubtful = max(0, len(f.waiting)-kept)
}

// received verifies a reply: the text it answers, behind any prefix. It keeps
// the round-trip time if measure is set.
func (f *flight) received(payload []byte, measure bool) error {
	candidates := f.waiting[:min(f.doubtful+1, len(f.waiting))]
	i := slices.IndexFunc(candidates, func(e expectation) bool { return answers(payload, e.text) })
	if i < 0 {
		return wrongReply{got: string(payload), want: wanted(candidates)}
	}
	if measure {
		f.rtts = append(f.rtts, time.Since(candidates[i].at))
	}
	f.waiting = f.waiting[i+1:]
	f.doubtful = 0 // the connection answers in order: what is younger was not lost
	f.verified++
	return nil
}

func answers(reply []byte, text string) bool {
	prefix := len(reply) - len(text)
	return prefix >= 0 && string(reply[prefix:]) == text
}

// summary is the closing line. The percentiles are nearest-rank.
func (f *flight) summary() string {
	slices.Sort(f.rtts)
	rank := func(percent int) time.Duration {
		return f.rtts[(len(f.rtts)*percent+99)/100-1].Round(time.Microsecond)
	}
	return fmt.Sprintf("ok n=%d rtt p50=%v p99=%v max=%v", f.verified, rank(50), rank(99), rank(100))
}

func wanted(candidates []expectation) string {
	switch len(candidates) {
	case 0:
		return "nothing, since nothing is unanswered"
	case 1:
		return "one that ends with " + abbreviate(candidates[0].text)
	}
	return fmt.Sprintf("one of %d, from %s to %s", len(candidates),
		abbreviate(candidates[0].text), abbreviate(candidates[len(candidates)-1].text))
}

// abbreviate quotes a text; of a long one it keeps the end, which counts.
func abbreviate(text string) string {
	if len(text) > shown {
		return fmt.Sprintf("…%q (%d bytes)", text[len(text)-shown:], len(text))
	}
	return fmt.Sprintf("%q", text)
}
