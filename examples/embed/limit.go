package main

import (
	"sync/atomic"

	"github.com/panjf2000/gnet/v2"
)

// A gnet server that finds no descriptor for a connection ends, with all its
// connections, and gnet.Run returns nil. So it must not come to that.

// spare is how many descriptors are kept for everything that is no connection
// here: files, and connections that are accepted but not refused yet.
const spare = 512

// perSession is how many descriptors a session may take: one, and a second one
// while it leaves its event loop.
const perSession = 2

// crowd counts the connections of a gnet server, of all kinds, up to a limit.
// The MaxSessions of a Handler does not count those that are not its own, nor
// those that have not said enough yet.
type crowd struct {
	limit int64
	n     atomic.Int64
}

// enter is for OnOpen: it closes a connection that is too many.
func (c *crowd) enter() gnet.Action {
	if c.n.Add(1) > c.limit {
		return gnet.Close
	}
	return gnet.None
}

// exit is for OnClose.
func (c *crowd) exit() { c.n.Add(-1) }
