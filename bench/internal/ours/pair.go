package ours

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/netasync/netasync"

	"github.com/netasync/netasync/bench/internal/pair"
)

// Pairs are this library at both ends, in the same way at each: by its channels, with and without Resume, by
// Messages and Send, by callbacks on its pool, and by callbacks on the event loop.
var Pairs = map[string]pair.Library{
	"netasync":         {Serve: pair.Served(chanWith(false)), Dial: dialChan(false)},
	"netasync-resume":  {Serve: pair.Served(chanWith(true)), Dial: dialChan(true)},
	"netasync-iter":    {Serve: pair.Served(Iter), Dial: dialIter},
	"netasync-handler": {Serve: pair.Served(Handler), Dial: dialCallback(false)},
	"netasync-inline":  {Serve: pair.Served(Inline), Dial: dialCallback(true)},
}

const dialLimit = 5 * time.Second

// dial waits until the session is connected.
func dial(addr string, o netasync.ConnectOptions) (*netasync.Session, error) {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		return nil, err
	}
	s, err := engine.Connect(addr, o)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), dialLimit)
	defer cancel()
	if err := s.WaitConnected(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// chanPeer sends by the channel of a session.
type chanPeer struct {
	out     chan<- []byte
	session *netasync.Session
}

func dialChan(resume bool) func(string, func([]byte)) (pair.Peer, error) {
	return func(addr string, got func([]byte)) (pair.Peer, error) {
		s, err := dial(addr, netasync.ConnectOptions{Resume: resume})
		if err != nil {
			return nil, err
		}
		go func() {
			for ev := range s.ReadChan() {
				if ev.Kind == netasync.Message {
					got(ev.Payload)
				}
			}
		}()
		return chanPeer{s.WriteChan(), s}, nil
	}
}

// Send hands over a copy: a message on the channel belongs to the library.
func (p chanPeer) Send(message []byte) error {
	p.out <- bytes.Clone(message)
	return nil
}

func (p chanPeer) Close() error { return p.session.Close() }

// sendPeer sends by Send.
type sendPeer struct{ *netasync.Session }

func dialIter(addr string, got func([]byte)) (pair.Peer, error) {
	s, err := dial(addr, netasync.ConnectOptions{})
	if err != nil {
		return nil, err
	}
	go func() {
		for payload, err := range s.Messages(context.Background()) {
			if err != nil {
				return
			}
			got(payload)
		}
	}()
	return sendPeer{s}, nil
}

func dialCallback(inline bool) func(string, func([]byte)) (pair.Peer, error) {
	return func(addr string, got func([]byte)) (pair.Peer, error) {
		s, err := dial(addr, netasync.ConnectOptions{
			Inline: inline,
			OnEvent: func(_ *netasync.Session, ev netasync.Event) {
				if ev.Kind == netasync.Message {
					got(ev.Payload)
				}
			},
		})
		return sendPeer{s}, err
	}
}

// Send gives a copy away, as chanPeer's does.
func (p sendPeer) Send(message []byte) error {
	return p.Session.Send(context.Background(), bytes.Clone(message))
}
