package nodes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/netasync/netasync"

	"github.com/netasync/netasync/bench/internal/broker"
	"github.com/netasync/netasync/bench/internal/fan"
)

// natsServer is a NATS server with routes to others, and a connection to it.
type natsServer struct {
	engine *netasync.Engine
	server *server.Server
	nats   *nats.Conn
	sender sender
	acks   acks

	mu       sync.Mutex // guards sessions
	sessions map[string]*netasync.Session
}

func newServer() (member, error) {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	s := &natsServer{engine: engine, sessions: map[string]*netasync.Session{}}
	s.sender.send = s.request
	return s, err
}

func (s *natsServer) start(listen string, peers []string) error {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	if number == 0 {
		number = server.RANDOM_PORT
	}
	o := server.Options{
		PingInterval: time.Hour, MaxPending: 256 << 20, MaxConn: 20_000,
		Cluster: server.ClusterOpts{Name: "bench", Host: host, Port: number, NoAdvertise: true, ConnectRetries: 1 << 30},
	}
	for _, peer := range peers {
		o.Routes = append(o.Routes, &url.URL{Scheme: "nats-route", Host: peer})
	}
	s.server, s.nats, err = broker.Start(o)
	return err
}

// others is how many servers there are routes to.
func (s *natsServer) others() int {
	z, err := s.server.Routez(nil)
	if err != nil {
		return 0
	}
	names := map[string]bool{}
	for _, r := range z.Routes {
		names[r.RemoteID] = true
	}
	return len(names)
}

func (s *natsServer) end() {
	if s.server != nil {
		s.nats.Close()
		s.server.Shutdown()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.engine.Shutdown(ctx)
}

func (s *natsServer) words() map[string]command {
	return map[string]command{
		"sink":      func(args) (any, error) { return sink(s.engine, s.add) },
		"respond":   func(args) (any, error) { return nil, s.respond(func(string, []byte) byte { return queued }) },
		"hand":      func(args) (any, error) { return nil, s.respond(s.hand) },
		"reach":     func(a args) (any, error) { return stamped(a.text(0), func() bool { return s.reaches(a.text(0)) }) },
		"send":      s.sender.measure,
		"sent":      func(args) (any, error) { return s.sender.queued.Load(), nil },
		"audience":  func(args) (any, error) { return s.server.Addr().String(), nil },
		"members":   func(a args) (any, error) { return s.hears(fan.Subject, a.number(1)) },
		"broadcast": func(a args) (any, error) { return nil, s.broadcast(a.number(0)) },
		"take":      func(args) (any, error) { return nil, s.take(func([]byte) error { return nil }) },
		"pass":      func(args) (any, error) { return nil, s.take(s.passOn) },
		"stream":    s.stream,
	}
}

// Answers to a request.
const (
	queued byte = 'q'
	full   byte = 'f'
	none   byte = 'n'
)

// requests is what the subjects of names begin with.
const requests = "name."

func subjectOf(name string) string { return requests + strings.ReplaceAll(name, "/", ".") }

// add gives the i-th session a name.
func (s *natsServer) add(i int, session *netasync.Session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions[subjectOf(nameOf(i))] = session
	return nil
}

// respond answers all requests, in one subscription, as a node of package cluster does.
func (s *natsServer) respond(answer func(subject string, payload []byte) byte) error {
	_, err := s.nats.Subscribe(requests+">", func(m *nats.Msg) { _ = m.Respond([]byte{answer(m.Subject, m.Data)}) })
	if err != nil {
		return err
	}
	return s.nats.Flush()
}

// hand gives a message to the session of a name, as one would write it by hand.
func (s *natsServer) hand(subject string, payload []byte) byte {
	s.mu.Lock()
	session := s.sessions[subject]
	s.mu.Unlock()
	if session == nil {
		return none
	}
	if err := session.TrySend(payload); errors.Is(err, netasync.ErrQueueFull) {
		return full
	}
	return queued
}

func (s *natsServer) request(ctx context.Context, name string, payload []byte) error {
	m, err := s.nats.RequestWithContext(ctx, subjectOf(name), payload)
	switch {
	case err != nil:
		return err
	case len(m.Data) != 1 || m.Data[0] == none:
		return fmt.Errorf("nodes: %s: %q", name, m.Data)
	case m.Data[0] == full:
		return netasync.ErrQueueFull
	}
	return nil
}

// reaches reports whether somebody answers requests for a name.
func (s *natsServer) reaches(name string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	err := s.request(ctx, name, []byte("are you there?"))
	if err == nil {
		s.sender.queued.Add(1)
	}
	return err == nil
}

// hears waits until so many other servers are known to have somebody who listens to a subject.
func (s *natsServer) hears(what string, others int) (uint64, error) {
	return stamped("interest", func() bool {
		z, err := s.server.Routez(&server.RoutezOptions{Subscriptions: true})
		if err != nil {
			return false
		}
		interested := map[string]bool{}
		for _, r := range z.Routes {
			for _, subject := range r.Subs {
				if subject == what {
					interested[r.RemoteID] = true
				}
			}
		}
		return len(interested) == others
	})
}

func (s *natsServer) broadcast(size int) error {
	if err := s.nats.Publish(fan.Subject, fan.Message(size)); err != nil {
		return err
	}
	return s.nats.Flush()
}
