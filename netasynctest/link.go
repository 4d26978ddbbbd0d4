package netasynctest

import (
	"io"
	"syscall"
	"time"
)

// DefaultBuffer is how many bytes a connection holds in each direction.
const DefaultBuffer = 64 << 10

// Link is what is between two hosts of a [Network], or the two sides of a [Proxy], in both directions,
// or in one: see To. All that is said to it holds for all connections, those that exist and those to
// come. It is safe for concurrent use.
type Link struct {
	n     *Network
	ends  [2]string
	lanes []*lane
}

// Link returns what is between two hosts, in both directions. They must exist: a misspelt name fails
// the test.
func (n *Network) Link(a, b string) *Link {
	n.t.Helper()
	n.mustKnow(a)
	n.mustKnow(b)
	l := &Link{n: n, ends: [2]string{a, b}}
	n.mu.Lock()
	defer n.mu.Unlock()
	l.lanes = append(l.lanes, n.lane(a, b))
	if a != b {
		l.lanes = append(l.lanes, n.lane(b, a))
	}
	return l
}

// To returns the direction to one of the two hosts alone: what is said to it leaves the other
// direction as it is. Cut and Close end whole connections all the same.
func (l *Link) To(host string) *Link {
	l.n.t.Helper()
	from := l.ends[0]
	switch host {
	case from:
		from = l.ends[1]
	case l.ends[1]:
	default:
		l.n.t.Fatalf("netasynctest: the link is between %q and %q, not to %q", l.ends[0], l.ends[1], host)
	}
	l.n.mu.Lock()
	defer l.n.mu.Unlock()
	return &Link{n: l.n, ends: l.ends, lanes: []*lane{l.n.lane(from, host)}}
}

// Cut resets every connection, at once, also while nothing passes: both ends get the error, and what
// is under way or was not read is lost. nil means syscall.ECONNRESET.
func (l *Link) Cut(err error) {
	if err == nil {
		err = syscall.ECONNRESET
	}
	l.each(func(s *stream) { s.reset(err) })
}

// Close ends every connection as if the peer of each end had closed it: what is under way arrives,
// then reads return io.EOF, and writes fail.
func (l *Link) Close() {
	l.each(func(s *stream) {
		for _, d := range []*stream{s, s.back} {
			d.finish(syscall.EPIPE, ending{io.EOF, syscall.EPIPE})
		}
	})
}

// Vanish lets nothing pass any more, and tells nobody: connections are half open, and dials wait until
// their time is over. What is written is under way as long as there is room.
func (l *Link) Vanish() { l.change(func(v *lane) { v.down = true }) }

// Heal ends what Vanish or OneWay began. What is under way arrives now, as TCP sends it again.
func (l *Link) Heal() { l.change(func(v *lane) { v.down = false }) }

// OneWay lets nothing pass but what goes to a host, until Heal. Dials wait, as with Vanish.
func (l *Link) OneWay(to string) {
	l.n.t.Helper()
	passes := l.To(to)
	l.change(func(v *lane) { v.down = v != passes.lanes[0] })
}

// Latency makes all bytes arrive later, by d and a random time under jitter; their order stays. A dial
// takes the time of both directions. What is under way starts anew. 0 is at once.
func (l *Link) Latency(d, jitter time.Duration) {
	l.n.t.Helper()
	l.mustNot(d < 0 || jitter < 0, "Latency is %v and %v, want 0 or more", d, jitter)
	l.change(func(v *lane) { v.latency, v.jitter = d, jitter })
}

// Bandwidth bounds the bytes a second of each connection and direction, which arrive in a hundred
// steps a second. What is under way starts anew. 0 is no bound.
func (l *Link) Bandwidth(bytesPerSecond int) {
	l.n.t.Helper()
	l.mustNot(bytesPerSecond < 0, "Bandwidth is %d, want 0 or more", bytesPerSecond)
	l.change(func(v *lane) { v.bandwidth = bytesPerSecond })
}

// Buffer bounds the bytes that each connection holds in each direction, under way and not read:
// writing waits beyond that. 0 means 64 KiB.
func (l *Link) Buffer(bytes int) {
	l.n.t.Helper()
	l.mustNot(bytes < 0, "Buffer is %d, want 0 or more", bytes)
	if bytes == 0 {
		bytes = DefaultBuffer
	}
	l.change(func(v *lane) { v.buffer = bytes })
}

// CutAfter lets n more bytes pass, in each direction and of all connections together, and resets the
// connection of the last of them, once: its reader gets exactly that byte and then
// syscall.ECONNRESET, its writer that error at once. With 0 that is the next connection on which
// something is written, before the first byte; -1 takes it back. Heartbeats count, so say it to one
// direction, see To.
func (l *Link) CutAfter(n int) {
	l.n.t.Helper()
	l.mustNot(n < never, "CutAfter is %d, want -1 or more", n)
	l.change(func(v *lane) { v.cutAfter = n })
}

// mustNot fails the test of a bad value.
func (l *Link) mustNot(bad bool, format string, args ...any) {
	l.n.t.Helper()
	if bad {
		l.n.t.Fatalf("netasynctest: "+format, args...)
	}
}

// change changes the link's lanes, for what is under way as well.
func (l *Link) change(f func(*lane)) {
	l.n.mu.Lock()
	defer l.n.mu.Unlock()
	for _, v := range l.lanes {
		for s := range v.streams {
			s.advance()
		}
		before := v.pace
		f(v)
		for s := range v.streams {
			if v.pace != before {
				s.reschedule()
			} else {
				s.advance()
			}
		}
	}
	l.n.changed.Broadcast()
}

// each calls f with a stream of every connection.
func (l *Link) each(f func(*stream)) {
	l.n.mu.Lock()
	defer l.n.mu.Unlock()
	for s := range l.lanes[0].streams {
		f(s)
	}
}
