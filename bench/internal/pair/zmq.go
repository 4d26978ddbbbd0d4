package pair

import (
	"context"

	"github.com/go-zeromq/zmq4"
)

var zmqPair = Library{Serve: serveZMQ, Dial: dialZMQ}

func serveZMQ() (string, error) {
	s := zmq4.NewPair(context.Background())
	if err := s.Listen("tcp://127.0.0.1:0"); err != nil {
		return "", err
	}
	go func() {
		for {
			m, err := s.Recv()
			// SendMulti hands header and payload to the kernel in one call, Send in two.
			if err != nil || s.SendMulti(m) != nil {
				return
			}
		}
	}()
	return "tcp://" + s.Addr().String(), nil
}

type zmqPeer struct{ zmq4.Socket }

func dialZMQ(addr string, got func([]byte)) (Peer, error) {
	s := zmq4.NewPair(context.Background())
	if err := s.Dial(addr); err != nil {
		return nil, err
	}
	go func() {
		for {
			m, err := s.Recv()
			if err != nil || len(m.Frames) != 1 {
				return
			}
			got(m.Frames[0])
		}
	}()
	return zmqPeer{s}, nil
}

func (p zmqPeer) Send(message []byte) error { return p.SendMulti(zmq4.NewMsg(message)) }
