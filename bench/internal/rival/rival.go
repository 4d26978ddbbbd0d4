// Package rival holds the echo servers that this library is compared with, each written the way its users would
// write it if speed mattered to them. All speak the framing of package wire and live until their process ends.
package rival

import (
	"net"
	"time"
)

// Options are what every echo server is started with.
type Options struct {
	Addr      string        // host:port to listen on; port 0 for any
	Loops     int           // event loops, where the server has any; 0 for its own choice
	Heartbeat time.Duration // period of heartbeats, where the server sends any
}

// Start begins to listen and returns the address.
type Start func(Options) (net.Addr, error)

// Servers are the rivals that are part of this program; Erlang is a program of its own (see ExecErlang).
var Servers = map[string]Start{
	"net":     Net,
	"netchan": NetChan,
	"gnet":    Gnet,
	"netpoll": Netpoll,
	"getty":   Getty,
	"beat":    Beat,

	"handover":      Handover,
	"handover-bare": HandoverBare,
}

// bufSize is the buffer of the servers that read and write through bufio: one buffer holds the whole window of
// the cases with small messages, and going beyond it gains nothing.
const bufSize = 16 << 10

// accept hands every connection of l to serve, on a goroutine of its own.
func accept(l net.Listener, serve func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go serve(c)
	}
}

func listen(o Options, serve func(net.Conn)) (net.Addr, error) {
	l, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return nil, err
	}
	go accept(l, serve)
	return l.Addr(), nil
}
