//go:build linux

package chaos

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
)

// heldPerConnection is how many bytes may be under way when a connection breaks: what the kernel
// may hold of one socket to write and of one to read, what the proxy asks for, doubled by Linux, and
// what it holds itself.
func heldPerConnection() (int, error) {
	held := 4*proxyBuffer + chunk
	for _, name := range []string{"tcp_wmem", "tcp_rmem"} {
		text, err := os.ReadFile("/proc/sys/net/ipv4/" + name)
		if err != nil {
			return 0, err
		}
		var least, usual, most int
		if _, err := fmt.Fscan(strings.NewReader(string(text)), &least, &usual, &most); err != nil {
			return 0, err
		}
		held += most
	}
	return held, nil
}

// inServer is what a server process that is killed holds of one client beside that: messages that
// its session has, and those that its consumer has not got.
const inServer = 4 << 20

// figures of a verdict.
type figures struct {
	sessions  int // accepted ones that the client has talked to
	taken     uint64
	lost      uint64 // of the client's messages; what lossy buffers dropped between connections is among them
	worst     int    // most bytes lost with one connection
	lostFixed int    // bytes lost by clients with a fixed buffer and small socket buffers
	breaks    int    // and their connections
	back      uint64 // messages that the client got
	worstBack int
}

func (f *figures) add(g figures) {
	f.sessions += g.sessions
	f.taken += g.taken
	f.lost += g.lost
	f.lostFixed += g.lostFixed
	f.breaks += g.breaks
	f.back += g.back
	f.worst = max(f.worst, g.worst)
	f.worstBack = max(f.worstBack, g.worstBack)
}

// span is the part of the client's stream that one accepted session has got.
type span struct {
	serial      uint32
	epoch       uint64 // 0: the client has not heard of it
	first, next uint32
	gaps        uint64
}

// verdict compares what a client has sent, and what it has got, with the ledgers. It is called when
// all is over. held is heldPerConnection.
func (c *client) verdict(ls ledgers, held int) (f figures) {
	spans := c.spans(ls)
	f.sessions = len(spans)
	if !c.outLossy && c.narrow {
		f.breaks = int(c.epoch)
	}
	last, epoch := uint32(0), uint64(0)
	for _, s := range spans {
		if s.first < last {
			c.violation("session %d, of epoch %d, got messages %d to %d, and an earlier one had got all before %d",
				s.serial, s.epoch, s.first, s.next-1, last)
		}
		if s.epoch != 0 && s.epoch <= epoch {
			c.violation("messages %d to %d came by connection %d, and earlier ones by connection %d",
				s.first, s.next-1, s.epoch, epoch)
		}
		bytes := c.bytes(last, s.first)
		if !c.outLossy && c.narrow {
			f.lostFixed += bytes
		}
		if !c.outLossy && s.epoch == epoch+1 {
			f.worst = max(f.worst, bytes)
		}
		f.taken += uint64(s.next-s.first) - s.gaps
		f.lost += uint64(s.first - last)
		if s.epoch != 0 {
			if bound := int(s.epoch-epoch) * (held + inServer); !c.outLossy && bytes > bound {
				c.violation("connections %d to %d lost %d bytes, %d to %d; no more than %d were under way",
					epoch, s.epoch, bytes, last, s.first, bound)
			}
			epoch = s.epoch
		}
		last = max(last, s.next)
	}
	if said := c.said.Load(); last != said {
		c.violation("%d messages were said, and at the end all before %d were got", said, last)
	}
	c.verdictBack(ls, held, &f)
	c.accounts(ls, f)
	return f
}

// spans returns what the sessions of the server have got, in the order of the numbers.
func (c *client) spans(ls ledgers) (spans []span) {
	epochs := make(map[uint32]uint64)
	for _, at := range c.contacts {
		epochs[at.serial] = at.epoch
	}
	for incarnation, l := range ls {
		for i := range l {
			if s := &l[i]; s.heard.Load() == 1+uint64(c.stream) {
				serial := uint32(incarnation)<<serialBits | uint32(i)
				spans = append(spans, span{
					serial: serial, epoch: epochs[serial], gaps: s.gaps.Load(),
					first: uint32(s.first.Load()), next: uint32(s.next.Load()),
				})
			}
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	return spans
}

// bytes returns how many bytes messages take.
func (c *client) bytes(from, to uint32) (n int) {
	for seq := from; seq < to; seq++ {
		n += 4 + size(key(byClient, c.stream, 0), seq)
	}
	return n
}

// verdictBack compares what came with what the sessions of the server have sent. Those that were
// killed do not tell.
func (c *client) verdictBack(ls ledgers, held int, f *figures) {
	for _, at := range c.contacts {
		s := ls.of(at.serial)
		f.back += uint64(at.next)
		if at.serial == 0 || s == nil || s.closed.Load() == 0 {
			continue
		}
		sent := uint32(s.sent.Load())
		if at.next > sent {
			c.violation("session %d has sent %d messages, and %d came", at.serial, sent, at.next)
		}
		bytes := 0
		for seq := at.next; seq < sent; seq++ {
			bytes += 4 + size(key(byServer, 0, at.serial), seq)
		}
		f.worstBack = max(f.worstBack, bytes)
		if !c.inLossy && bytes > held {
			c.violation("connection %d lost %d bytes of session %d, %d to %d; no more than %d were under way",
				at.epoch, bytes, at.serial, at.next, sent, held)
		}
	}
}

// accounts looks at the figures of the session, which has closed.
func (c *client) accounts(ls ledgers, f figures) {
	st := c.s.Stats()
	if err := unaccounted(c.s, uint64(c.said.Load())); err != nil {
		c.violation("%v", err)
	}
	if st.Received != c.seen+st.DroppedInbound {
		c.violation("received %d messages, dropped %d, and %d were seen", st.Received, st.DroppedInbound, c.seen)
	}
	if st.Sent < f.taken {
		c.violation("sent %d messages, and the server got %d", st.Sent, f.taken)
	}
	gaps := uint64(0)
	for _, s := range c.spans(ls) {
		gaps += s.gaps
	}
	if gaps > st.Dropped || c.gaps > st.Dropped {
		c.violation("dropped %d, and %d are missing within connections, %d of the server's", st.Dropped, gaps, c.gaps)
	}
	if !c.inLossy && st.DroppedInbound > 0 || !c.outLossy && st.Dropped-st.DroppedInbound != st.Undeliverable {
		c.violation("dropped messages of a fixed buffer: %+v", st)
	}
}
