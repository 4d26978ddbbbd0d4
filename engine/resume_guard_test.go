package engine

import (
	"context"
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

// A listener or an engine that ends does not wait for a peer that does not read its Welcome.
func TestEndWhileAWelcomeIsWritten(t *testing.T) {
	for what, end := range map[string]func(t *stage){
		"listener": func(t *stage) { _ = t.ln.Close() },
		"engine": func(t *stage) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			require.NoError(t, t.e.Shutdown(ctx))
		},
	} {
		t.Run(what, func(t *testing.T) {
			onStage(t, ListenOptions{Resume: true, HandshakeTimeout: 10 * time.Second}, func(t *stage) {
				t.client(1).dial()
				synctest.Wait()
				begin := time.Now()
				end(t)
				<-t.ln.AcceptChan()
				require.Zero(t, time.Since(begin))
			})
		})
	}
}
