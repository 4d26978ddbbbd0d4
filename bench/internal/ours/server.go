// Package ours is this library as a contestant: echo servers in its five ways to consume, pairs of ends, and a
// fleet of dialed sessions. Each is what a user would write after reading the documentation.
package ours

import (
	"context"
	"net"
	"time"

	"github.com/netasync/netasync"

	"github.com/netasync/netasync/bench/internal/rival"
)

// Servers are the echo servers.
var Servers = map[string]rival.Start{
	"chan":    Chan,
	"recv":    Recv,
	"iter":    Iter,
	"handler": Handler,
	"inline":  Inline,
}

// never is a heartbeat timeout beyond every run: where heartbeats are measured, the load sends none.
const never = time.Hour

func listen(o rival.Options, lo netasync.ListenOptions) (*netasync.Listener, error) {
	engine, err := netasync.NewEngine(netasync.EngineOptions{Loops: o.Loops})
	if err != nil {
		return nil, err
	}
	lo.NoGreeting = true // the load generator takes a heartbeat that it did not ask for as a lie
	if o.Heartbeat > 0 {
		lo.HeartbeatPeriod, lo.HeartbeatTimeout = o.Heartbeat, never
	}
	return engine.Listen(o.Addr, lo)
}

// serve hands every session to a goroutine of its own.
func serve(o rival.Options, lo netasync.ListenOptions, echo func(*netasync.Session)) (net.Addr, error) {
	l, err := listen(o, lo)
	if err != nil {
		return nil, err
	}
	go func() {
		for s := range l.AcceptChan() {
			go echo(s)
		}
	}()
	return l.Addr(), nil
}

// Chan echoes from one channel to the other.
func Chan(o rival.Options) (net.Addr, error) { return chanWith(false)(o) }

// chanWith is Chan with Resume or without.
func chanWith(resume bool) rival.Start {
	return func(o rival.Options) (net.Addr, error) {
		return serve(o, netasync.ListenOptions{Resume: resume}, echoChan)
	}
}

func echoChan(s *netasync.Session) {
	out := s.WriteChan()
	for ev := range s.ReadChan() {
		if ev.Kind == netasync.Message {
			out <- ev.Payload
		}
	}
}

// Recv echoes with Recv and Send.
func Recv(o rival.Options) (net.Addr, error) {
	return serve(o, netasync.ListenOptions{}, func(s *netasync.Session) {
		ctx := context.Background()
		for {
			ev, err := s.Recv(ctx)
			if err != nil {
				return
			}
			if ev.Kind == netasync.Message && s.Send(ctx, ev.Payload) != nil {
				return
			}
		}
	})
}

// Iter echoes with Messages and Send.
func Iter(o rival.Options) (net.Addr, error) {
	return serve(o, netasync.ListenOptions{}, func(s *netasync.Session) {
		ctx := context.Background()
		for payload, err := range s.Messages(ctx) {
			if err != nil || s.Send(ctx, payload) != nil {
				return
			}
		}
	})
}

// Handler echoes from callbacks on the library's pool.
func Handler(o rival.Options) (net.Addr, error) {
	return callback(o, netasync.ListenOptions{OnEvent: echo})
}

// Inline echoes from callbacks on the event loop.
func Inline(o rival.Options) (net.Addr, error) {
	return callback(o, netasync.ListenOptions{OnEvent: echo, Inline: true})
}

func callback(o rival.Options, lo netasync.ListenOptions) (net.Addr, error) {
	l, err := listen(o, lo)
	if err != nil {
		return nil, err
	}
	return l.Addr(), nil
}

// echo ends with the session: what Send then refuses has nowhere to go.
func echo(s *netasync.Session, ev netasync.Event) {
	if ev.Kind == netasync.Message {
		_ = s.Send(context.Background(), ev.Payload)
	}
}
