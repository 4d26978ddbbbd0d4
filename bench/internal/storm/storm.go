// Package storm watches many dialed sessions come back after their server was restarted.
package storm

import (
	"fmt"
	"sync/atomic"
	"time"
)

// Payload is what a session says, and has echoed, on every connection it gets.
var Payload = []byte("are you there?")

// Fleet dials n sessions to addr and keeps them dialed until the process ends. On every connection a session says
// Payload once; when the echo has come back, the fleet calls talks with the session's number. Calls may be
// concurrent.
type Fleet func(addr string, n int, talks func(session int)) error

// Fleets are those that are not made with this library.
var Fleets = map[string]Fleet{"byhand": ByHand}

// Times are when, on the wall clock, the sessions of a restarted server talk again.
type Times struct {
	Half time.Time `json:"half"`
	All  time.Time `json:"all"`
}

// Watch dials the fleet, calls connected when every session has talked, and returns when every one has talked on
// a second connection. It gives up after the limit.
func Watch(fleet Fleet, addr string, n int, limit time.Duration, connected func() error) (Times, error) {
	c := newCount(n)
	if err := fleet(addr, n, c.talks); err != nil {
		return Times{}, err
	}
	deadline := time.After(limit)
	select {
	case <-c.first:
	case <-deadline:
		return Times{}, fmt.Errorf("storm: %d of %d sessions talked", c.once.Load(), n)
	}
	if err := connected(); err != nil {
		return Times{}, err
	}
	select {
	case <-c.second:
		return Times{Half: time.Unix(0, c.halfAt.Load()), All: time.Unix(0, c.allAt.Load())}, nil
	case <-deadline:
		return Times{}, fmt.Errorf("storm: %d of %d sessions talked again", c.again.Load(), n)
	}
}

// count notes how often each session has talked.
type count struct {
	sessions      []atomic.Int32
	once, again   atomic.Int64  // sessions that talked at all, and more than once
	first, second chan struct{} // closed by talks when all did
	halfAt, allAt atomic.Int64  // nanoseconds of the wall clock
}

func newCount(n int) *count {
	return &count{sessions: make([]atomic.Int32, n), first: make(chan struct{}), second: make(chan struct{})}
}

func (c *count) talks(session int) {
	n := int64(len(c.sessions))
	switch c.sessions[session].Add(1) {
	case 1:
		if c.once.Add(1) == n {
			close(c.first)
		}
	case 2:
		switch c.again.Add(1) {
		case (n + 1) / 2:
			c.halfAt.Store(time.Now().UnixNano())
			if n == 1 {
				c.finish()
			}
		case n:
			c.finish()
		}
	}
}

func (c *count) finish() {
	c.allAt.Store(time.Now().UnixNano())
	close(c.second)
}
