package fan

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/broadcast"
)

// listen serves, and calls each for every session. Nothing but broadcasts is to be measured: no heartbeats.
func listen(each func(*netasync.Session)) (addr string, err error) {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		return "", err
	}
	l, err := engine.Listen("127.0.0.1:0", netasync.ListenOptions{
		NoGreeting: true, HeartbeatPeriod: time.Hour,
		Inline: true, OnEvent: func(s *netasync.Session, ev netasync.Event) {
			if ev.Kind == netasync.Connected {
				each(s)
			}
		},
	})
	if err != nil {
		return "", err
	}
	return l.Addr().String(), nil
}

// list is what a loop goes through.
type list struct {
	mu       sync.Mutex
	sessions []*netasync.Session
}

func (l *list) add(s *netasync.Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sessions = append(l.sessions, s)
}

func (l *list) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.sessions)
}

// group is broadcast.Group.
func group(o Options) (Server, error) {
	slow, known := map[string]broadcast.Slow{
		"": broadcast.Drop, "drop": broadcast.Drop, "close": broadcast.Close, "latest": broadcast.Latest,
	}[o.Slow]
	if !known {
		return Server{}, fmt.Errorf("fan: no policy %q", o.Slow)
	}
	g := broadcast.NewGroup(broadcast.Options{Slow: slow})
	addr, err := listen(func(s *netasync.Session) { g.Add(s) })
	return Server{addr, func(payload []byte) error {
		if r := g.Send(payload); r.Refused > 0 {
			return fmt.Errorf("fan: %+v", r)
		}
		return nil
	}, g.Len}, err
}

// loop is a loop of TrySend. Each session owns what it is given: so each is given a copy.
func loop(Options) (Server, error) { return trySend(bytes.Clone) }

// loopShared gives all sessions the same slice, against the contract of TrySend.
func loopShared(Options) (Server, error) { return trySend(func(p []byte) []byte { return p }) }

func trySend(given func([]byte) []byte) (Server, error) {
	all := &list{}
	addr, err := listen(all.add)
	return Server{addr, func(payload []byte) error {
		all.mu.Lock()
		defer all.mu.Unlock()
		for _, s := range all.sessions {
			if err := s.TrySend(given(payload)); err != nil && !errors.Is(err, netasync.ErrQueueFull) {
				return err
			}
		}
		return nil
	}, all.len}, err
}
