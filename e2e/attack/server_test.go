//go:build linux

package attack

import (
	"context"
	"errors"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// The servers: a Listener whose sessions are served by a goroutine each, with Recv and Send; a
// Handler in gnet, with Inline callbacks; and one written by hand around package net. All echo.
const (
	listener = "listener"
	handler  = "handler"
	plain    = "plain net"
)

// What all servers allow their peers.
const (
	period     = 250 * time.Millisecond
	timeout    = 4 * period // to say something, to finish a handshake, to take what is written
	maxPayload = 4 << 20
)

// What ours keep.
const (
	buffered        = 256 << 10 // bytes for each direction of a session
	assembly        = 32 << 20  // for all unfinished messages of an Engine
	defaultAssembly = 256 << 20 // and of a Handler
)

// serverOptions are those of a Listener and a Handler.
func serverOptions(r role) netasync.ListenOptions {
	buffer := netasync.Buffer{Cap: 128, Bytes: buffered}
	return netasync.ListenOptions{
		ReadBuffer: buffer, WriteBuffer: buffer, MaxPayload: maxPayload,
		HeartbeatPeriod: period, HeartbeatTimeout: timeout, HandshakeTimeout: timeout, WriteTimeout: timeout,
		TLS: r.TLS.config(),
	}
}

// sleepy is the message after which a session of the listener is read no more.
const sleepy = "read no more"

// playListener echoes. A session that has sent sleepy is not read any more.
func playListener(r role) error {
	engine, err := netasync.NewEngine(netasync.EngineOptions{AssemblyBudget: assembly})
	if err != nil {
		return err
	}
	ln, err := engine.Listen(r.Addr, serverOptions(r))
	if err != nil {
		return err
	}
	go func() {
		for s := range ln.AcceptChan() {
			go echo(s)
		}
	}()
	say("ready %v", ln.Addr())
	waitForEnd()
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	var unsent *netasync.UnsentError
	if err := engine.Shutdown(ctx); err != nil && !errors.As(err, &unsent) {
		return err
	}
	account(engine.Stats())
	return nil
}

// account says "end" and the figures of a server that has ended, if they add up.
func account(st netasync.Stats) {
	m := st.Totals
	if m.Accepted != m.Sent+m.Unsent+m.Dropped-m.DroppedInbound+m.Discarded || st.Sessions+int(m.Queued) > 0 {
		say("violation the accounts: %+v", st)
	}
	say("end %+v", st)
}

func echo(s *netasync.Session) {
	for {
		ev, err := s.Recv(context.Background())
		if err != nil {
			return
		}
		if ev.Kind != netasync.Message {
			continue
		}
		if string(ev.Payload) == sleepy {
			<-s.Done()
			return
		}
		_ = s.Send(context.Background(), ev.Payload)
	}
}
