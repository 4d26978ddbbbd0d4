// Package consuming is what docs/consuming.md shows.
package consuming

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/netasync/netasync"
)

// answer is what the application makes of a message.
func answer(payload []byte) []byte { return append([]byte("re: "), payload...) }

// byChannels answers messages, and sends jobs, until the session has closed.
func byChannels(s *netasync.Session, jobs <-chan []byte) {
	//doc:begin channels
	events, out := s.ReadChan(), s.WriteChan()
	for {
		select {
		case ev, ok := <-events:
			if !ok {
				return // it has closed; the event before this was Closed
			}
			if ev.Kind == netasync.Message {
				out <- answer(ev.Payload) // waits while the channel and WriteBuffer are full
			}
		case job := <-jobs:
			out <- job
		}
	}
	//doc:end
}

// byRecv answers messages until the session has closed.
func byRecv(ctx context.Context, s *netasync.Session) error {
	//doc:begin recv
	for {
		ev, err := s.Recv(ctx)
		if errors.Is(err, io.EOF) {
			return nil // it has closed
		}
		if err != nil {
			return err // ctx has ended; the session lives on
		}
		if ev.Kind == netasync.Message {
			if err := s.Send(ctx, answer(ev.Payload)); err != nil {
				return err
			}
		}
	}
	//doc:end
}

// byMessages answers messages until the session has closed.
func byMessages(ctx context.Context, s *netasync.Session) error {
	//doc:begin messages
	for payload, err := range s.Messages(ctx) {
		if err != nil {
			return err // why the session has closed, or ctx's; io.EOF: the peer has ended it
		}
		if err := s.Send(ctx, answer(payload)); err != nil {
			return err
		}
	}
	return nil // it was closed at this end
	//doc:end
}

// rows sends many messages at once.
func rows(ctx context.Context, s *netasync.Session, table [][]byte) ([][]byte, error) {
	//doc:begin batch
	queued, err := s.SendBatch(ctx, table) // under one lock, by few writes
	return table[queued:], err             // what was not queued is still yours
	//doc:end
}

// byCallbacks serves sessions without a goroutine for each.
func byCallbacks(engine *netasync.Engine, addr string) (*netasync.Listener, error) {
	//doc:begin callbacks
	return engine.Listen(addr, netasync.ListenOptions{
		OnEvent: func(s *netasync.Session, ev netasync.Event) {
			switch ev.Kind {
			case netasync.Connected:
				s.SetValue(&account{}) // data of this session; AcceptChan stays empty
			case netasync.Message:
				a := s.Value().(*account)
				a.last = bytes.Clone(ev.Payload)             // kept: cloned
				_ = s.Send(context.Background(), ev.Payload) // sent back by the same session: as it is
			}
		},
	})
	//doc:end
}

type account struct{ last []byte }

// inline serves sessions on their event loops.
func inline(engine *netasync.Engine, addr string, audit *netasync.Session) (*netasync.Listener, error) {
	//doc:begin inline
	return engine.Listen(addr, netasync.ListenOptions{
		Inline: true,
		OnEvent: func(s *netasync.Session, ev netasync.Event) {
			if ev.Kind != netasync.Message {
				return
			}
			_ = s.Send(context.Background(), ev.Payload) // does not wait here
			if err := audit.TrySend(bytes.Clone(ev.Payload)); err != nil {
				missed.add() // Send to another session would hold up the loop
			}
		},
	})
	//doc:end
}

// onlySend reads the events of a session that only sends.
func onlySend(engine *netasync.Engine, addr string) (*netasync.Session, error) {
	//doc:begin discard
	s, err := engine.Connect(addr, netasync.ConnectOptions{
		OnEvent: func(*netasync.Session, netasync.Event) {}, // nobody answers: whatever comes is read and forgotten
	})
	//doc:end
	return s, err
}
