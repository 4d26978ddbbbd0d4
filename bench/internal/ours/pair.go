package ours

import (
	"bytes"
	"errors"
	"time"

	"github.com/netasync/netasync"

	"github.com/netasync/netasync/bench/internal/pair"
	"github.com/netasync/netasync/bench/internal/rival"
)

// Pair is this library at both ends, by its channels. PairResume is the same with Resume.
var (
	Pair       = pairOf(false)
	PairResume = pairOf(true)
)

func pairOf(resume bool) pair.Library {
	return pair.Library{
		Serve: func() (string, error) { return servePair(resume) },
		Dial:  func(addr string, got func([]byte)) (pair.Peer, error) { return dialPair(resume, addr, got) },
	}
}

const dialLimit = 5 * time.Second

func servePair(resume bool) (string, error) {
	addr, err := serve(rival.Options{Addr: "127.0.0.1:0"}, netasync.ListenOptions{Resume: resume}, echoChan)
	if err != nil {
		return "", err
	}
	return addr.String(), nil
}

type peer struct {
	out     chan<- []byte
	session *netasync.Session
}

func dialPair(resume bool, addr string, got func([]byte)) (pair.Peer, error) {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		return nil, err
	}
	s, err := engine.Connect(addr, netasync.ConnectOptions{Resume: resume})
	if err != nil {
		return nil, err
	}
	connected := make(chan struct{}, 1)
	go func() {
		for ev := range s.ReadChan() {
			switch ev.Kind {
			case netasync.Connected:
				connected <- struct{}{}
			case netasync.Message:
				got(ev.Payload)
			}
		}
	}()
	select {
	case <-connected:
		return peer{s.WriteChan(), s}, nil
	case <-time.After(dialLimit):
		return nil, errors.Join(errors.New("netasync: not connected in time"), s.Close())
	}
}

// Send hands over a copy: a message on the channel belongs to the library.
func (p peer) Send(message []byte) error {
	p.out <- bytes.Clone(message)
	return nil
}

func (p peer) Close() error { return p.session.Close() }
