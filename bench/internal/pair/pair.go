// Package pair compares message libraries that only talk to themselves: one process echoes, another sends, and
// both ends are the library's own. Only what a library promises to its user is used, in the way that its own
// documentation recommends for speed.
package pair

import (
	"github.com/netasync/netasync/bench/internal/load"
	"github.com/netasync/netasync/bench/internal/rival"
)

// Library is one contestant.
type Library struct {
	// Serve echoes every message to where it came from, until the process ends, and returns its address.
	Serve func() (addr string, err error)
	// Dial connects to such a server. Every message that comes back is given to got, one at a time and in
	// order, on a goroutine of the library or of the adapter; got does not keep it, and may call Send.
	Dial func(addr string, got func(message []byte)) (Peer, error)
}

// Peer is the sending side of one connection. The driver calls Send from one goroutine at a time. The message is
// the driver's and does not change: a library that wants to own what it sends gets a copy from its adapter.
type Peer interface {
	Send(message []byte) error
	Close() error
}

// Libraries are the contestants that are not this library.
var Libraries = map[string]Library{
	"mangos":    mangosPair,
	"zmq4":      zmqPair,
	"websocket": websocketPair,
	"nats":      natsPair,
	"nats-chan": natsChanPair,
	"getty":     gettyPair,
	"net":       netPair,
	"netchan":   netchanPair,
}

// Served is the answering end of a contestant that is an echo server, too.
func Served(start rival.Start) func() (string, error) {
	return func() (string, error) {
		addr, err := start(rival.Options{Addr: "127.0.0.1:0"})
		if err != nil {
			return "", err
		}
		return addr.String(), nil
	}
}

// Result is what a run measured; it has the shape of the load generator's.
type Result = load.Result
