// Package fan measures one message that goes to many connections: servers that broadcast, each the way its users
// would, and the crowd that listens to them in a process of its own.
package fan

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Server broadcasts. Every message begins with the instant at which it was sent.
type Server struct {
	Addr    string
	Send    func(payload []byte) error
	Members func() int // nil: a member is one as soon as its connection has been greeted
}

// Await waits until a server has so many members.
func (s *Server) Await(members int) error {
	for deadline := time.Now().Add(patience); s.Members != nil && s.Members() < members; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("fan: %d members of %d", s.Members(), members)
		}
	}
	return nil
}

// Start starts a server, for so many connections of which some will not read.
type Start func(o Options) (Server, error)

// Options are what a server is started with.
type Options struct {
	Conns int
	Slow  string // what broadcast does about members that do not read: drop, close or latest
}

// Servers are the contestants.
var Servers = map[string]Start{
	"broadcast":   group,
	"loop":        loop,
	"loop-shared": loopShared,
	"melody":      startMelody,
	"nats":        startNATS,
}

// Known returns a contestant.
func Known(name string) (Start, error) {
	if start := Servers[name]; start != nil {
		return start, nil
	}
	return nil, fmt.Errorf("fan: no contestant %q of %v", name, slices.Sorted(maps.Keys(Servers)))
}

// Now is the instant on the clock that all processes share, in nanoseconds.
func Now() uint64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	return uint64(t.Nano())
}

// stampSize is how much of a message says when it was sent.
const stampSize = 8

// Message returns a message that is sent now.
func Message(size int) []byte {
	m := make([]byte, max(size, stampSize))
	binary.BigEndian.PutUint64(m, Now())
	return m
}
