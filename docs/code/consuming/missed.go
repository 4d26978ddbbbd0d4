package consuming

import "sync/atomic"

// missed counts what the audit did not get.
var missed counter

type counter struct{ n atomic.Int64 }

func (c *counter) add() { c.n.Add(1) }
