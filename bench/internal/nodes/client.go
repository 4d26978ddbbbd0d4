package nodes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/netasync/netasync"

	"github.com/netasync/netasync/bench/internal/child"
	"github.com/netasync/netasync/bench/internal/fan"
	"github.com/netasync/netasync/bench/internal/pair"
)

// Sink is so many clients that receive, and count.
func Sink(addr string, clients int) error {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		return err
	}
	var count atomic.Uint64
	for range clients {
		s, err := engine.Connect(addr, netasync.ConnectOptions{
			Inline: true, OnEvent: func(_ *netasync.Session, ev netasync.Event) {
				if ev.Kind == netasync.Message {
					count.Add(1)
				}
			},
		})
		if err != nil {
			return err
		}
		if err := connected(s); err != nil {
			return err
		}
	}
	return child.Obey(func(said []string) (any, error) {
		n := args(said).number(1)
		_, err := stamped(fmt.Sprint(n, " messages"), func() bool { return count.Load() >= uint64(n) })
		if more := count.Load(); err == nil && more != uint64(n) {
			err = fmt.Errorf("nodes: %d messages came of %d", more, n)
		}
		return nil, err
	})
}

func connected(s *netasync.Session) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return s.WaitConnected(ctx)
}

// mover is a client that goes on at another address.
type mover struct {
	*netasync.Session
	addr atomic.Pointer[string]
	got  func([]byte)
	back chan bool // it is connected: whether its session went on

	mu   sync.Mutex // guards conn
	conn net.Conn
}

// dialMover connects at an address, and moves to another.
func dialMover(engine *netasync.Engine, addr, via string, got func([]byte)) (*mover, error) {
	m := &mover{got: got, back: make(chan bool, 16)}
	m.addr.Store(&addr)
	var err error
	m.Session, err = engine.Connect("", netasync.ConnectOptions{
		Resume: true, Inline: true, OnEvent: m.event, Dial: m.dial,
		Backoff: netasync.Backoff{Initial: 5 * time.Millisecond, Max: 50 * time.Millisecond},
		Resolve: func(context.Context) ([]string, error) { return []string{*m.addr.Load()}, nil },
	})
	if err != nil {
		return nil, err
	}
	if _, err := m.wait(); err != nil {
		return nil, err
	}
	m.addr.Store(&via)
	m.mu.Lock()
	err = m.conn.Close()
	m.mu.Unlock()
	if err != nil {
		return nil, err
	}
	resumed, err := m.wait()
	if err == nil && !resumed {
		err = errors.New("nodes: the session has not gone on")
	}
	return m, err
}

func (m *mover) wait() (resumed bool, err error) {
	select {
	case resumed = <-m.back:
		return resumed, nil
	case <-time.After(patience):
		return false, errors.New("nodes: a client is not connected")
	}
}

func (m *mover) event(_ *netasync.Session, ev netasync.Event) {
	switch ev.Kind {
	case netasync.Connected:
		m.back <- ev.Resumed
	case netasync.Message:
		m.got(ev.Payload)
	}
}

func (m *mover) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil || m.conn != nil { // what comes after the first is a connection as any other
		return conn, err
	}
	m.conn = conn
	return struct{ net.Conn }{conn}, nil // so that its descriptor stays its own, until it is closed
}

// Send gives a copy away.
func (m *mover) Send(message []byte) error {
	return m.Session.Send(context.Background(), bytes.Clone(message))
}

// Move has clients connect at an address and go on at another; then the last of them measures.
func Move(addr, via string, clients int, o pair.Options) (pair.Result, error) {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		return pair.Result{}, err
	}
	for range clients - 1 {
		if _, err := dialMover(engine, addr, via, func([]byte) {}); err != nil {
			return pair.Result{}, err
		}
	}
	o.Begin, o.End = begun, ended
	return pair.Run(pair.Library{Dial: func(_ string, got func([]byte)) (pair.Peer, error) {
		return dialMover(engine, addr, via, got)
	}}, o)
}

// caller is a client that talks all the time.
type caller struct {
	mu    sync.Mutex // guards all below
	first string     // the node that answered first
	again uint64     // when another one did
}

// often is how often a client says something.
const often = 10 * time.Millisecond

// Callers is so many clients that know several addresses, begin at the first, and talk to whatever node they reach.
func Callers(addrs []string, clients int) error {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		return err
	}
	callers := make([]*caller, clients)
	for i := range callers {
		callers[i] = &caller{}
		if err := callers[i].begin(engine, addrs, fmt.Sprint("caller/", i)); err != nil {
			return err
		}
	}
	if _, err := stamped("answers", func() bool { return all(callers, (*caller).answered) }); err != nil {
		return err
	}
	return child.Obey(func([]string) (any, error) {
		_, err := stamped("answers of another node", func() bool { return all(callers, (*caller).moved) })
		var again []uint64
		for _, c := range callers {
			again = append(again, c.again)
		}
		return again, err
	})
}

func all(callers []*caller, is func(c *caller) bool) bool {
	for _, c := range callers {
		if !is(c) {
			return false
		}
	}
	return true
}

func (c *caller) begin(engine *netasync.Engine, addrs []string, name string) error {
	s, err := engine.Connect(addrs[0], netasync.ConnectOptions{
		Addrs: addrs[1:], Resume: true, HeartbeatPeriod: Period, HeartbeatTimeout: Timeout, DialTimeout: time.Second,
		Backoff: netasync.Backoff{Initial: 20 * time.Millisecond, Max: 500 * time.Millisecond},
		Hello:   func(uint64) [][]byte { return [][]byte{[]byte(iAm + name)} },
	})
	if err != nil {
		return err
	}
	go func() {
		for payload, err := range s.Messages(context.Background()) {
			if err != nil {
				return
			}
			c.heard(answerOf(payload))
		}
	}()
	go func() {
		for range time.Tick(often) {
			if err := s.TrySend([]byte("how are you?")); err != nil && !errors.Is(err, netasync.ErrQueueFull) {
				return
			}
		}
	}()
	return nil
}

func (c *caller) heard(node string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case node == "" || c.again > 0:
	case c.first == "":
		c.first = node
	case c.first != node:
		c.again = fan.Now()
	}
}

func (c *caller) answered() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.first != ""
}

func (c *caller) moved() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.again > 0
}
