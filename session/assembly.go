package session

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/netasync/netasync/codec"
)

// Assembly bounds the memory that the unfinished frames of an engine's sessions hold: what their
// decoders have allocated, not what the peers have announced. Whole messages are none of it.
//
// When it is over its limit, the frames that came least far end, with ErrOverloaded, until it is
// not: those that are furthest behind in keeping pace, see pace.go, and so those first that have
// brought nothing for the longest time. Neither bytes nor shares of the announced length would do:
// by either, peers that send nearly all of a message and stop would go before everybody who has
// just begun, and stay. By pace a frame that comes goes before all that have stopped, be it at its
// beginning or nearly complete, and however many have only been announced. The last frame that is
// left is not ended: so a message larger than the limit can be received, one at a time.
//
// A connection's reader adds what changed, and that is all it does. Over the limit it asks for a
// goroutine that looks for the slowest, since to do that, and to end hundreds of connections, is no
// work for an event loop. A frame that is to end no longer counts; its memory is free when its
// reader has seen the end.
type Assembly struct {
	limit int64
	start func(func()) // a goroutine
	held  atomic.Int64 // by all frames that are not to end
	asked atomic.Int64 // how often since relieve began; over 0 while it runs

	mu      sync.Mutex // guards members; a leaf
	members map[*Conn]struct{}
}

// condemned is what Conn.share is when the connection's frame is to end.
const condemned = -1

// NewAssembly returns one with a limit in bytes. start runs a function in a goroutine.
func NewAssembly(limit int, start func(func())) *Assembly {
	return &Assembly{limit: int64(limit), start: start, members: make(map[*Conn]struct{})}
}

// account notes how many bytes of memory the connection's unfinished frame holds. It is for the
// reader.
func (c *Conn) account(held int) {
	a, now, before := c.s.cfg.Assembly, int64(held), c.share.Load()
	if a == nil || now == before || before == condemned {
		return
	}
	if !c.member {
		c.member = true
		a.join(c)
	}
	if !c.share.CompareAndSwap(before, now) {
		return // condemned just now
	}
	if a.held.Add(now-before) > a.limit && now > before && a.asked.Add(1) == 1 {
		a.start(a.relieve)
	}
}

// letGo gives up an unfinished frame and its memory: the connection is over, or what it brings is
// thrown away from now on. It is for the reader.
func (c *Conn) letGo() {
	c.dec = codec.Decoder{}
	c.paid.Store(0)
	c.account(0)
	if c.member {
		c.member = false
		c.s.cfg.Assembly.leave(c)
	}
}

// join adds a connection, at its first frame of several reads.
func (a *Assembly) join(c *Conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.members[c] = struct{}{}
}

func (a *Assembly) leave(c *Conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.members, c)
}

// relieve ends frames until the limit is kept. It goes on while it is asked again: each asking is
// followed by a whole round.
func (a *Assembly) relieve() {
	for {
		asked := a.asked.Load()
		frames := a.slowestFirst()
		for len(frames) > 1 && a.held.Load() > a.limit {
			a.end(frames[0].conn)
			frames = frames[1:]
		}
		if a.asked.CompareAndSwap(asked, 0) {
			return
		}
	}
}

// unfinished is a frame under way, and how far it had kept pace.
type unfinished struct {
	conn *Conn
	paid int64
}

// slowestFirst returns the frames that hold memory, in the order in which they are to end.
func (a *Assembly) slowestFirst() (frames []unfinished) {
	a.mu.Lock()
	for c := range a.members {
		if paid := c.paid.Load(); paid != 0 && c.share.Load() > 0 {
			frames = append(frames, unfinished{c, paid})
		}
	}
	a.mu.Unlock()
	slices.SortFunc(frames, func(x, y unfinished) int { return cmp.Compare(x.paid, y.paid) })
	return frames
}

// end ends a connection for its unfinished frame, unless that is complete by now.
func (a *Assembly) end(c *Conn) {
	for {
		share := c.share.Load()
		if share <= 0 {
			return
		}
		if c.share.CompareAndSwap(share, condemned) {
			a.held.Add(-share)
			c.s.lost(c, ErrOverloaded)
			return
		}
	}
}
