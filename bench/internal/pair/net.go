package pair

import (
	"bufio"
	"io"
	"net"

	"github.com/netasync/netasync/bench/internal/rival"
	"github.com/netasync/netasync/bench/internal/wire"
)

// netPair is the standard library at both ends, without channels and goroutines that write: the sender hands each
// message to the socket by one Write, for he cannot know whether another one follows. The end that echoes
// sees what else has come, and writes that together.
var netPair = Library{Serve: Served(rival.Net), Dial: dialNet}

// netBuffer is the reader's, as large as those of the servers.
const netBuffer = 16 << 10

type netPeer struct {
	net.Conn
	frame []byte // reused; Send is called by one goroutine at a time
}

func dialNet(addr string, got func([]byte)) (Peer, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	go func() { _ = readFrames(bufio.NewReaderSize(c, netBuffer), got) }()
	return &netPeer{Conn: c}, nil
}

// readFrames gives each message to got in a buffer that the next one reuses.
func readFrames(r io.Reader, got func([]byte)) error {
	var header [wire.HeaderLen]byte
	var buf []byte
	for {
		if _, err := io.ReadFull(r, header[:]); err != nil {
			return err
		}
		n := wire.Length(header[:])
		if cap(buf) < n {
			buf = make([]byte, n)
		}
		buf = buf[:n]
		if _, err := io.ReadFull(r, buf); err != nil {
			return err
		}
		got(buf)
	}
}

func (p *netPeer) Send(message []byte) error {
	var header [wire.HeaderLen]byte
	wire.PutHeader(header[:], len(message))
	p.frame = append(append(p.frame[:0], header[:]...), message...)
	_, err := p.Write(p.frame)
	return err
}
