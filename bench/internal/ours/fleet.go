package ours

import (
	"bytes"
	"context"

	"github.com/netasync/netasync"

	"github.com/netasync/netasync/bench/internal/storm"
)

// Fleet keeps sessions dialed with this library's own reconnecting, without a goroutine for each.
func Fleet(addr string, n int, talks func(session int)) error {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		return err
	}
	for session := range n {
		_, err := engine.Connect(addr, netasync.ConnectOptions{
			OnEvent: func(s *netasync.Session, ev netasync.Event) {
				switch ev.Kind {
				case netasync.Connected:
					_ = s.Send(context.Background(), bytes.Clone(storm.Payload))
				case netasync.Message:
					talks(session)
				}
			},
		})
		if err != nil {
			return err
		}
	}
	return nil
}
