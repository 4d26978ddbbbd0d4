package engine

import (
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/internal/resume"
	"github.com/netasync/netasync/session"
)

// from is a connection in memory that says that it comes from an IP address.
type from struct {
	net.Conn
	ip string
}

func (f from) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(f.ip), Port: 1} }

// dialFrom is dial, from an IP address.
func (c *client) dialFrom(ip string) *peer {
	ours, theirs := net.Pipe()
	c.p.conns <- from{theirs, ip}
	c.Cleanup(func() { _ = ours.Close() })
	c.Number++
	p := &peer{Conn: ours, t: c.T, start: time.Now()}
	go c.says(p, hello(codec.Format{}, c.Hello))
	return p
}

// A session that waits for room in AcceptChan has its place under MaxSessionsPerAddr, and takes no
// other one from its own next connection.
func TestResumeWhileAcceptChanIsFull(t *testing.T) {
	o := ListenOptions{Resume: true, AcceptBuffer: 1, MaxSessionsPerAddr: 1}
	onStage(t, o, func(t *stage) {
		other := t.client(1).dialFrom("192.0.2.1")
		go other.swallow()
		synctest.Wait()
		c := t.client(2)
		p := c.dialFrom("192.0.2.2")
		require.Empty(t, p.mustRead().payload)
		w, _, err := resume.ParseAnswer([]byte(p.mustRead().payload))
		require.NoError(t, err)
		c.proves(p)
		require.NoError(t, p.Close())
		synctest.Wait()
		require.Equal(t, 1, t.e.Stats().Detached, "it waits for AcceptChan, and for its peer")
		c.holds(w)
		p = c.dialFrom("192.0.2.2")
		go p.swallow()
		synctest.Wait()
		require.Zero(t, t.e.Stats().Detached, "%+v", t.e.Stats().RefusedBy)
	})
}

// A window that has ended a moment ago does not end one that has begun since.
func TestWindowBeforeEndsNothing(t *testing.T) {
	onStage(t, ListenOptions{Resume: true}, func(t *stage) {
		c := t.client(1)
		p, w := c.enters()
		s := t.accepted()
		c.proves(p)
		require.NoError(t, p.Close())
		synctest.Wait()
		r, _ := t.e.host.resumptions.find(&resume.Hello{Token: w.Token})
		before := r.round
		c.holds(w)
		p, _ = c.enters()
		require.NoError(t, p.Close())
		synctest.Wait()
		t.e.host.work.Add(1)
		r.expire(before) // late
		require.Equal(t, session.StateDisconnected, s.State())
		require.Equal(t, 1, t.e.Stats().Detached)
	})
}

// Whatever phase handshakes are in, the end of a listener or an engine waits for none, and gives all back.
func TestEndInEachPhaseOfAHandshake(t *testing.T) {
	for phase, begin := range map[string]func(t *stage){
		"silent": func(t *stage) { t.connect() },
		"within a hello": func(t *stage) {
			go t.says(t.connect(), hello(codec.Format{}, resume.Hello{Nonce: resume.Nonce{1}})[:20])
		},
		"before its welcome": func(t *stage) { t.client(1).dial() },
		"before a second welcome": func(t *stage) {
			c := t.client(1)
			p, w := c.enters()
			c.proves(p)
			c.holds(w)
			c.dial()
		},
		"after a lost welcome": func(t *stage) {
			c := t.client(1)
			c.enters()
			c.dial()
		},
		"detached": func(t *stage) {
			p, _ := t.client(1).enters()
			require.NoError(t, p.Close())
		},
		"before a refusal": func(t *stage) {
			c := t.client(1)
			p, _ := c.enters()
			c.proves(p)
			c.Number = 0
			c.dial()
		},
		"before AcceptChan": func(t *stage) {
			for n := range byte(5) {
				go t.client(n + 1).dial().swallow()
			}
		},
	} {
		for _, first := range []bool{false, true} { // the listener
			t.Run(fmt.Sprint(phase, ", listener first: ", first), func(t *testing.T) {
				o := ListenOptions{
					Resume: true, AcceptBuffer: 1, MaxSessions: 10, HandshakeTimeout: time.Hour, Linger: time.Second,
				}
				onStage(t, o, func(t *stage) {
					begin(t)
					synctest.Wait()
					start := time.Now()
					if first {
						require.NoError(t, t.ln.Close())
						for range t.ln.AcceptChan() { // until it is closed
						}
						require.Zero(t, time.Since(start))
					}
					t.shutdown()
					require.LessOrEqual(t, time.Since(start), o.Linger) // for peers that do not read
					require.Zero(t, t.e.Stats().Sessions+t.e.Stats().Detached)
					require.Empty(t, t.ln.slots)
					require.Zero(t, t.ln.places.n)
					require.Zero(t, t.ln.absent.row.Len()+t.ln.absent.new.Len())
					require.Empty(t, t.e.host.resumptions.beginning)
					t.knows(0)
				})
			})
		}
	}
}

// An answer that is no good is told, but for the token that may be in it.
func TestAnswerWithATokenIsNotTold(t *testing.T) {
	secret := "sixteen-secrets!"
	good := (&resume.Welcome{Version: resume.Version, Token: []byte(secret)}).Append(nil)
	other := append([]byte(nil), good...)
	other[1] = 2
	for what, body := range map[string][]byte{
		"another version": other,
		"cut off":         good[:len(good)-1],
	} {
		t.Run(what, func(t *testing.T) {
			inBubble(t, func(t *testing.T, e *Engine, peers <-chan *peer) {
				s := mustConnect(t, e, ConnectOptions{Resume: true, Backoff: hourly})
				p := <-peers
				p.mustGreet()
				p.answers(body)
				ev := mustRecv(t, s)
				require.ErrorIs(t, ev.Err, session.ErrNotResumable)
				require.NotContains(t, ev.Err.Error(), secret[:8])
			})
		})
	}
}
