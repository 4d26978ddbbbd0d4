package broadcast

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/session"
)

// rough is a connection that takes as much as it likes, and may take nothing for a while, or end within a
// message.
type rough struct {
	*link
	cut bool // link.mu guards it
}

func (l *rough) Write(bufs [][]byte, wait bool) (n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range bufs {
		for len(b) > 0 {
			for l.shut && wait && !l.closed && !l.cut {
				l.cond.Wait()
			}
			switch {
			case l.closed || l.cut:
				return n, net.ErrClosed
			case l.shut || !wait && rand.IntN(4) == 0:
				return n, nil
			}
			m := 1 + rand.IntN(len(b))
			l.got = append(l.got, b[:m]...)
			n, b = n+m, b[m:]
		}
	}
	return n, nil
}

// set shuts or opens the connection, or cuts it.
func (l *rough) set(shut, cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shut, l.cut = shut, l.cut || cut
	l.cond.Broadcast()
}

// stormy is a session in a storm, with all the connections it has had.
type stormy struct {
	*session.Session
	format codec.Format

	reader sync.Mutex // held while a connection is read, or ends
	mu     sync.Mutex // guards those below
	links  []*rough
	conn   *session.Conn
}

// attach gives the session a further connection, if it has use for one.
func (s *stormy) attach() {
	l := &rough{link: newLink(false)}
	c := session.Drive(s.Session).Attach(l, 0)
	if c == nil {
		return
	}
	s.reader.Lock()
	c.Start(true)
	s.reader.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links, s.conn = append(s.links, l), c
}

func (s *stormy) last() (*rough, *session.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return nil, nil
	}
	return s.links[len(s.links)-1], s.conn
}

// A storm's message says where it comes from and which it is there, and all of its bytes tell whether they
// belong to it.
func stormMessage(from byte, n uint32) []byte {
	size := []int{6, 50, shareLimitPlus, 9000}[n%4]
	m := bytes.Repeat([]byte{byte(n) ^ from}, size)
	m[0] = from
	binary.BigEndian.PutUint32(m[1:], n)
	return m
}

// check fails the test unless what came by the connections is whole, and of each source in order.
func (s *stormy) check(t *testing.T) {
	for _, l := range s.links {
		next := make(map[byte]uint32)
		d := codec.NewDecoder(s.format, 1<<20)
		for p := l.got; len(p) > 0; {
			f, n, complete, err := d.Next(p)
			require.NoError(t, err)
			if p = p[n:]; !complete || len(f.Payload) == 0 {
				continue
			}
			from, n32 := f.Payload[0], binary.BigEndian.Uint32(f.Payload[1:])
			require.True(t, bytes.Equal(stormMessage(from, n32), f.Payload), "a message of %d is whole", from)
			if from < 4 {
				require.GreaterOrEqual(t, n32, next[from], "the order of %d", from)
				next[from] = n32 + 1
			}
		}
	}
}

// Whatever happens at the same time, nothing blocks, every message is accounted for, all that was queued is
// written without a further push, and whole.
func TestStorm(t *testing.T) {
	const rounds = 300
	groups := []*Group{}
	onSlow := func(s *session.Session) { groups[rand.IntN(3)].Has(s) }
	for _, policy := range policies {
		groups = append(groups, NewGroup(Options{Slow: policy, OnSlow: onSlow}))
	}
	hub := NewHub(Options{Slow: Latest, OnSlow: func(s *session.Session) { groups[0].Remove(s) }})
	kinds := []func(*session.Config){
		buffer(4), buffer(1000),
		func(c *session.Config) { c.WriteBuffer = session.Sliding(4) },
		func(c *session.Config) { c.WriteBuffer = session.Dropping(4) },
		func(c *session.Config) { c.WhileDown, c.WriteBuffer = session.Refuse, session.Fixed(100) },
		func(c *session.Config) { c.Format, c.MaxPayload = codec.Format{Varint: true}, 100 },
		func(c *session.Config) { c.Format = codec.Format{Width: 8} },
		func(c *session.Config) { // it sends to all from its callback
			c.Inline = true
			c.OnEvent = func(s *session.Session, ev session.Event) {
				if ev.Kind == session.Message {
					groups[rand.IntN(3)].Send(ev.Payload)
				}
			}
		},
	}
	var all []*stormy
	for i := range 2 * len(kinds) {
		var format codec.Format
		s := newSession(t, i%2 == 0, func(c *session.Config) {
			kinds[i/2](c)
			format = c.Format
		})
		all = append(all, &stormy{Session: s, format: format})
		if i%2 == 0 {
			require.True(t, session.Drive(s).Dialing())
		}
		all[i].attach()
		if i/2 < len(kinds)-1 {
			go func() { // its events are read
				for {
					if _, err := s.Recv(context.Background()); err != nil {
						return
					}
				}
			}()
		}
	}
	anyone := func() *stormy { return all[rand.IntN(len(all))] }
	room := func() string { return strconv.Itoa(rand.IntN(2)) }
	var work sync.WaitGroup
	each := func(n int, f func(i int)) {
		work.Go(func() {
			for i := range n {
				f(i)
			}
		})
	}
	var counted [4]sync.Mutex
	var numbers [4]uint32
	send := func(from int, f func([]byte) Result) {
		counted[from].Lock() // so that the numbers have the order of the sends
		defer counted[from].Unlock()
		m := stormMessage(byte(from), numbers[from])
		numbers[from]++
		f(m)
		clear(m)
	}
	for from := range 4 {
		for range 2 {
			each(rounds, func(int) {
				send(from, func(m []byte) Result {
					if from < 3 {
						return groups[from].SendExcept(m, anyone().Session)
					}
					return hub.Send("0", m)
				})
			})
		}
	}
	each(rounds, func(i int) { _ = anyone().TrySend(stormMessage(9, 0)) })
	each(rounds/10, func(i int) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		if s := anyone(); i%2 == 0 {
			_ = s.Send(ctx, stormMessage(9, 0))
		} else {
			_ = s.Flush(ctx)
		}
	})
	for range 2 {
		each(2*rounds, func(int) {
			switch s := anyone().Session; rand.IntN(6) {
			case 0, 1:
				groups[rand.IntN(3)].Add(s)
			case 2:
				groups[rand.IntN(3)].Remove(s)
			case 3, 4:
				hub.Join(room(), s)
			case 5:
				hub.LeaveAll(s)
			}
		})
	}
	each(rounds, func(i int) {
		s := anyone()
		if l, c := s.last(); l != nil {
			switch rand.IntN(4) {
			case 0, 1:
				l.set(rand.IntN(2) == 0, false)
			case 2:
				l.set(false, true)
				s.reader.Lock()
				c.End(errors.New("cut by the test"))
				s.reader.Unlock()
			case 3:
				if session.Drive(s.Session).Dialing() {
					s.attach()
				}
			}
		}
	})
	each(rounds, func(i int) { // the last ones have callbacks
		s := all[len(all)-1-i%2]
		if _, c := s.last(); c != nil {
			s.reader.Lock()
			defer s.reader.Unlock()
			if rest, _, err := c.Feed(testkit.Frames(stormMessage(8, 0)), true); err != nil || len(rest) > 0 {
				c.End(net.ErrClosed)
			}
		}
	})
	each(1, func(int) {
		for _, s := range all[:4] {
			s.CloseNow(nil)
		}
	})
	work.Wait()
	for _, s := range all {
		if session.Drive(s.Session).Dialing() {
			s.attach()
		}
		for _, l := range s.links {
			l.set(false, false)
		}
	}
	for i, s := range all {
		testkit.Eventually(t, func() bool {
			return s.State() != session.StateConnected || s.Stats().Queued == 0
		}, "what is queued is written without a further push: %d", i)
		s.CloseNow(nil)
		<-s.Done()
		st := s.Stats()
		require.Equal(t, st.Accepted, st.Sent+uint64(st.Queued)+st.Dropped-st.DroppedInbound+st.Returned, "%d: %+v", i, st)
		s.check(t)
	}
	for _, g := range groups {
		testkit.Eventually(t, func() bool { return g.Len() == 0 }, "all members leave")
	}
	testkit.Eventually(t, func() bool {
		hub.mu.Lock()
		defer hub.mu.Unlock()
		return len(hub.rooms) == 0
	}, "no room is left")
}
