package pair

import (
	"bytes"
	"net"

	"github.com/netasync/netasync/bench/internal/rival"
)

// netchanPair is the hand-written way at both ends.
var netchanPair = Library{Serve: Served(rival.NetChan), Dial: dialNetchan}

type netchanPeer struct{ out chan<- []byte }

func dialNetchan(addr string, got func([]byte)) (Peer, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	in, out := rival.Channels(c)
	go func() {
		for m := range in {
			got(m)
		}
	}()
	return netchanPeer{out}, nil
}

// Send hands over a copy: a message on a channel belongs to whoever takes it out.
func (p netchanPeer) Send(message []byte) error {
	p.out <- bytes.Clone(message)
	return nil
}

func (p netchanPeer) Close() error {
	close(p.out)
	return nil
}
