package engine

import (
	"fmt"
	"net"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/session"
)

// errLateHello ends a connection on which a Hello has come when it was taken for a plain one: its
// peer will come again.
var errLateHello = fmt.Errorf("%w: late hello", session.ErrNotResumable)

// lateHello looks at the first bytes of a connection that was taken for a plain one, because its peer
// was silent, for whether they are a Hello after all: that must never be delivered as a message.
type lateHello struct {
	format codec.Format
	seen   []byte
}

// newLateHello returns what looks at the bytes that follow those that were seen; nil if there is no
// need to.
func newLateHello(f codec.Format, seen []byte) *lateHello {
	if openingOf(f, seen).sight != unclear {
		return nil
	}
	return &lateHello{f, seen}
}

// look looks at further bytes. It reports whether it needs more.
func (h *lateHello) look(p []byte) (more bool, err error) {
	for {
		o := openingOf(h.format, h.seen)
		if o.sight == greeting {
			return false, errLateHello
		}
		if o.sight == plain || len(p) == 0 {
			return o.sight == unclear, nil
		}
		n := min(o.need, len(p))
		h.seen = append(h.seen[:len(h.seen):len(h.seen)], p[:n]...)
		p = p[n:]
	}
}

// entry is what a link begins with where Resume is set.
type entry struct {
	number uint64     // of the connection that has claimed the session
	early  []byte     // what was read of the connection before
	late   *lateHello // looks at what comes; nil: no more
	remote net.Addr   // of the peer, where the connection was accepted elsewhere; else nil
}

// begins returns what was read of the link's connection before it was a link. It is for the reader.
func (l *link) begins() []byte {
	if l.entry == nil {
		return nil
	}
	early := l.entry.early
	l.entry.early = nil
	if l.entry.late == nil {
		l.entry = nil
	}
	return early
}

// arrived looks at bytes that have just been read. It is for the reader.
func (l *link) arrived(p []byte) error {
	if l.entry == nil || l.entry.late == nil {
		return nil
	}
	more, err := l.entry.late.look(p)
	if !more {
		l.entry = nil
	}
	return err
}
