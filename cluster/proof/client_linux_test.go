package proof

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// client is one of many, with a session that claims a name each time that it begins anew. It reaches the
// nodes by an address that leads now to this one, now to that one, as that of a load balancer does.
type client struct {
	w        *world
	id, name string
	places   []int // nodes that the address leads to
	cuttable bool  // its connection can be cut
	session  *netasync.Session

	turn    atomic.Uint64
	retired atomic.Bool // it claims no more, and ends with its connection

	fresh, resumed, lost, said atomic.Int64
	answered                   atomic.Int64

	mu       sync.Mutex // guards all below
	conn     net.Conn
	gone     time.Time // when the connection was lost; zero: there is one that has brought an answer
	outages  []time.Duration
	answers  map[int]bool // numbers that were answered
	last     [2]int       // of the answers in this session: the node's number, and its own
	at       sessionID
	welcomed bool
}

// join connects a client that may be led to these nodes, beginning with the first.
func (w *world) join(id, name string, cuttable bool, places ...int) *client {
	w.t.Helper()
	c := &client{w: w, id: id, name: name, places: places, cuttable: cuttable, answers: map[int]bool{}}
	var err error
	c.session, err = w.engine.Connect("cluster:1", netasync.ConnectOptions{
		Resume: true, HeartbeatPeriod: w.period, HeartbeatTimeout: 4 * w.period, DialTimeout: 3 * time.Second,
		Backoff: netasync.Backoff{Initial: 20 * time.Millisecond, Max: 500 * time.Millisecond},
		Dial:    c.dial, Hello: c.hello, ReadBuffer: netasync.Fixed(1024), WriteBuffer: netasync.Fixed(1024),
	})
	require.NoError(w.t, err)
	w.clients.Go(c.consume)
	return c
}

func (c *client) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	place := c.places[int(c.turn.Add(1)-1)%len(c.places)]
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address(place)+clientPort)
	if err != nil || !c.cuttable {
		return conn, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn = conn
	return struct{ net.Conn }{conn}, nil // so that its descriptor stays its own
}

// cut ends the connection, as a network does that forgets it.
func (c *client) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if tcp, is := c.conn.(*net.TCPConn); is {
		_ = tcp.SetLinger(0)
		_ = tcp.Close()
	}
}

func (c *client) hello(uint64) [][]byte {
	if c.retired.Load() {
		return nil
	}
	return [][]byte{fmt.Appendf(nil, "C %s %s", c.id, c.name)}
}

// retire has the client make room for another one that claims its name.
func (c *client) retire() { c.retired.Store(true) }

// talk says numbers until ctx ends.
func (c *client) talk(ctx context.Context, every time.Duration) {
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
		if c.session.Send(ctx, fmt.Appendf(nil, "N %d", c.said.Load()+1)) != nil {
			return
		}
		c.said.Add(1)
	}
}

func (c *client) consume() {
	for ev := range c.session.ReadChan() {
		switch ev.Kind {
		case netasync.Connected:
			c.connected(ev)
		case netasync.Disconnected:
			c.mu.Lock()
			if c.gone.IsZero() && c.welcomed {
				c.gone = time.Now()
			}
			c.mu.Unlock()
			if c.retired.Load() {
				c.session.CloseNow(nil)
			}
		case netasync.Message:
			c.message(string(ev.Payload))
		}
	}
}

func (c *client) connected(ev netasync.Event) {
	if ev.Resumed {
		c.resumed.Add(1)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fresh.Add(1); ev.Lost > 0 {
		c.lost.Add(int64(ev.Lost))
	}
	c.last, c.at = [2]int{}, sessionID{}
}

func (c *client) message(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var err error
	switch text[0] {
	case 'W':
		if _, err = fmt.Sscanf(text, "W %s %d", &c.at.node, &c.at.session); err == nil {
			c.welcomed = true
			c.w.books.begun(c.at, c)
		}
	case 'R':
		err = c.answer(text)
	case 'M':
		var k key
		if _, err = fmt.Sscanf(text, "M %s %s %d", &k.sender, &k.name, &k.number); err == nil {
			c.w.books.got(c.at, c, k)
		}
	default:
		err = fmt.Errorf("unknown word")
	}
	if err != nil {
		c.w.books.wrong("client %s got %q: %v", c.id, text, err)
	}
}

// answer checks that the node's numbers, and those of the client's that it has answered, have no gap within a
// session. The caller holds mu.
func (c *client) answer(text string) error {
	var now [2]int
	if _, err := fmt.Sscanf(text, "R %d %d", &now[0], &now[1]); err != nil {
		return err
	}
	switch {
	case c.answers[now[1]]:
		return fmt.Errorf("answered twice")
	case now[0] != c.last[0]+1:
		return fmt.Errorf("after %v", c.last)
	case c.last[1] > 0 && now[1] != c.last[1]+1:
		return fmt.Errorf("after %v", c.last)
	}
	c.last, c.answers[now[1]] = now, true
	c.answered.Add(1)
	if !c.gone.IsZero() {
		c.outages = append(c.outages, time.Since(c.gone))
		c.gone = time.Time{}
	}
	return nil
}
