package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// told is a handler that keeps lines, without escaping anything, and may do something with each.
type told struct {
	mu    sync.Mutex
	lines []string
	level slog.Level
	on    func(slog.Record)
}

func (h *told) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level }
func (h *told) WithAttrs([]slog.Attr) slog.Handler           { panic("not used") }
func (h *told) WithGroup(string) slog.Handler                { panic("not used") }

func (h *told) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%v %v", r.Level, strings.TrimPrefix(r.Message, "netasync: "))
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&b, " %v=%v", a.Key, a.Value)
		return true
	})
	h.mu.Lock()
	h.lines = append(h.lines, b.String())
	h.mu.Unlock()
	if h.on != nil {
		h.on(r)
	}
	return nil
}

// take returns the lines since it was called last, without what they have in common.
func (h *told) take() []string {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	lines := h.lines
	h.lines = nil
	for i, l := range lines {
		lines[i] = strings.Replace(l, " session=1 name=tests remote=", "", 1)
	}
	return lines
}

// newTold returns a session that has a logger.
func newTold(t *testing.T, dialed bool, level slog.Level, change func(*Config)) (*Session, *fakeDialer, *told) {
	t.Helper()
	h := &told{level: level}
	s, dialer := newFake(t, dialed, func(c *Config) {
		c.Log, c.Name = slog.New(h), "tests"
		if change != nil {
			change(c)
		}
	})
	return s, dialer, h
}

// begin begins a connection, as the engine does.
func begin(s *Session, link Link) *Conn {
	s.dialing()
	c := s.attach(link, 0)
	c.Start(false)
	return c
}

// heard lets the peer say something.
func heard(t *testing.T, c *Conn) {
	t.Helper()
	_, _, err := c.Feed(testkit.Frames("m"), false)
	require.NoError(t, err)
}

// One line for each outage and one for each return, and one for the end.
func TestLinesOfADialedSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dialer, h := newTold(t, true, slog.LevelInfo, nil)
		c := begin(s, newFakeLink(0))
		require.Equal(t, []string{"INFO connected epoch=1 attempts=1"}, h.take())
		heard(t, c)
		require.NoError(t, s.TrySend([]byte("secret")))
		time.Sleep(3 * time.Second)
		c.End(errCut)
		require.Equal(t, []string{"INFO connection lost epoch=1 error=cut by the test up=3s queued=1"}, h.take())
		<-dialer.redials
		for range 4 {
			s.dialing()
			s.dialFailed(errCut)
		}
		time.Sleep(time.Minute)
		require.Empty(t, h.take(), "the dialer tells these")
		heard(t, begin(s, newFakeLink(4)))
		require.Equal(t, []string{"INFO connected epoch=2 down=1m0s attempts=5"}, h.take())
		time.Sleep(time.Second)
		require.NoError(t, s.Close())
		time.Sleep(time.Second)
		<-s.Done()
		require.Equal(t, []string{
			"INFO closed epoch=2 error=netasync: linger expired before the queue was flushed up=2s",
			"WARN messages were not sent epoch=2 unsent=1",
		}, h.take())
	})
}

// An outage may begin with no connection.
func TestLinesOfAServerThatComesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, h := newTold(t, true, slog.LevelInfo, nil)
		s.dialing()
		s.dialFailed(errCut)
		time.Sleep(time.Second)
		begin(s, newFakeLink(unbounded))
		require.Equal(t, []string{"INFO connected epoch=1 down=1s attempts=2"}, h.take())
		require.NoError(t, s.Close())
		<-s.Done()
		require.Equal(t, []string{"INFO closed epoch=1 up=1ns"}, h.take())
	})
}

// A heartbeat timeout is told once for each connection that it ends.
func TestLinesOfAHeartbeatTimeout(t *testing.T) {
	for _, dialed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s, _, h := newTold(t, dialed, slog.LevelInfo, nil)
			link := newFakeLink(unbounded)
			if dialed {
				heard(t, begin(s, link))
			} else {
				c := s.attach(link, 0)
				c.Start(false)
				heard(t, c)
			}
			h.take()
			time.Sleep(time.Minute)
			require.Equal(t, []string{
				"INFO connection lost epoch=1 error=netasync: nothing received within the heartbeat timeout up=4s",
			}, h.take())
			s.CloseNow(nil)
			<-s.Done()
		})
	}
}

// A peer that hangs up before it has said anything is one outage, however often it does.
func TestLinesOfUnprovenConnections(t *testing.T) {
	for level, between := range map[slog.Level][]string{
		slog.LevelInfo: nil,
		slog.LevelDebug: {
			"DEBUG connected epoch=2 down=1s attempts=1", "DEBUG connection lost epoch=2 error=EOF",
			"DEBUG connected epoch=3 down=3s attempts=2", "DEBUG connection lost epoch=3 error=EOF",
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, dialer, h := newTold(t, true, level, nil)
			for range 3 {
				c := begin(s, newFakeLink(unbounded))
				time.Sleep(time.Second)
				c.End(io.EOF)
				<-dialer.redials
				time.Sleep(time.Second)
			}
			first := []string{"INFO connected epoch=1 attempts=1", "INFO connection lost epoch=1 error=EOF up=1s"}
			require.Equal(t, append(first, between...), h.take())
			c := begin(s, newFakeLink(unbounded))
			if level == slog.LevelDebug {
				h.take()
			}
			time.Sleep(time.Second)
			heard(t, c)
			require.Equal(t, []string{"INFO connected epoch=4 down=6s attempts=3"}, h.take())
			heard(t, c)
			require.Empty(t, h.take())
			c.End(io.EOF)
			<-dialer.redials
			heard(t, begin(s, newFakeLink(unbounded)))
			require.Len(t, h.take(), 2, "now each counts again")
			s.CloseNow(nil)
		})
	}
}

// The first drop of a connection or an outage is told at once, and the number at its end.
func TestLinesOfDrops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dialer, h := newTold(t, true, slog.LevelInfo, func(c *Config) {
			c.WriteBuffer, c.ReadBuffer = Sliding(2), Dropping(2)
		})
		c := begin(s, newFakeLink(unbounded))
		h.take()
		for range 3 {
			_, _, err := c.Feed(testkit.Frames("a", "b", "c", "d"), false)
			require.NoError(t, err)
		}
		require.Equal(t, []string{"WARN a buffer is full and drops messages epoch=1 direction=inbound"}, h.take())
		c.End(errCut)
		<-dialer.redials
		require.Equal(t, []string{"INFO connection lost epoch=1 error=cut by the test up=1ns dropped=10"}, h.take())
		for range 5 {
			require.NoError(t, s.Send(t.Context(), []byte("m")))
		}
		s.WriteChan() <- []byte("m")
		require.Equal(t, []string{"WARN a buffer is full and drops messages epoch=1 direction=outbound"}, h.take())
		begin(s, newFakeLink(0))
		require.Equal(t, []string{"INFO connected epoch=2 down=1ns attempts=1 dropped=4"}, h.take())
		s.CloseNow(errCut)
	})
}

// An accepted session has one connection.
func TestLinesOfAnAcceptedSession(t *testing.T) {
	for end, want := range map[error]string{
		io.EOF: "INFO closed epoch=1 error=EOF up=1s",
		errCut: "INFO connection lost epoch=1 error=cut by the test up=1s",
		nil:    "INFO closed epoch=1 up=1s",
	} {
		synctest.Test(t, func(t *testing.T) {
			s, _, h := newTold(t, false, slog.LevelInfo, nil)
			c := s.attach(newFakeLink(unbounded), 0)
			c.Start(false)
			require.Equal(t, []string{"INFO connected epoch=1"}, h.take())
			time.Sleep(time.Second)
			if end == nil {
				require.NoError(t, s.Close())
			} else {
				c.End(end)
			}
			<-s.Done()
			require.Equal(t, []string{want}, h.take())
		})
	}
}

// What peers control reaches a line quoted, also by a handler that escapes nothing.
func TestLinesQuoteWhatPeersControl(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		evil := fmt.Errorf("no certificate of %s: %w", "evil\nINFO all is well \x1b[2J\u202e\xff", errCut)
		s, _, h := newTold(t, false, slog.LevelInfo, func(c *Config) { c.Name = "my\nname" })
		var as error
		h.on = func(r slog.Record) {
			r.Attrs(func(a slog.Attr) bool {
				if err, ok := a.Value.Any().(error); ok {
					as = err
				}
				return true
			})
		}
		c := s.attach(&evilLink{newFakeLink(unbounded)}, 0)
		c.Start(false)
		c.End(evil)
		<-s.Done()
		synctest.Wait()
		lines := append(h.take(), s.LogValue().String())
		require.Len(t, lines, 3)
		for _, l := range lines {
			require.Contains(t, l, `evil\n`)
			require.Contains(t, l, `my\nname`)
			require.Equal(t, -1, strings.IndexFunc(l, unprintable), "%q", l)
		}
		require.ErrorIs(t, as, errCut)
	})
}

type evilLink struct{ *fakeLink }

func (*evilLink) Addrs() (local, remote net.Addr) {
	return unbound{}, &net.UnixAddr{Name: "/tmp/evil\n\x1b[2J", Net: "unix"}
}

// A handler may call the session, whatever it does there. The lines come in order, and none twice.
func TestAHandlerThatCallsTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dialer, h := newTold(t, true, slog.LevelDebug, func(c *Config) { c.WriteBuffer = Sliding(2) })
		h.on = func(r slog.Record) {
			require.NotEmpty(t, s.LogValue().String())
			_ = s.Stats()
			_ = s.Send(context.Background(), []byte("from the log"))
			_ = s.State()
			s.RetryNow()
			if r.Level == slog.LevelInfo && strings.Contains(r.Message, "lost") {
				require.NoError(t, s.Close())
				s.CloseNow(errors.New("by the log"))
			}
		}
		c := begin(s, newFakeLink(0))
		heard(t, c)
		for range 5 {
			_ = s.TrySend([]byte("m"))
		}
		c.End(errCut)
		c.link.Close()
		<-s.Done()
		synctest.Wait()
		require.Len(t, dialer.redials, 1)
		var texts []string
		for _, l := range h.take() {
			texts = append(texts, strings.Split(l, " epoch")[0])
		}
		require.Equal(t, []string{
			"INFO connected", "WARN a buffer is full and drops messages", "INFO connection lost",
			"WARN a buffer is full and drops messages", "INFO closed", "WARN messages were not sent",
		}, texts)
	})
}

// forgetful notes that a session was forgotten.
type forgetful struct {
	fakeHost
	times atomic.Int32
}

func (h *forgetful) Forget(Driver) { h.times.Add(1) }

// Whoever waits for the end of sessions, as a shutdown does, waits for their lines. Whoever waits for
// the place of one does not.
func TestForgetComesBehindTheLastLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		proceed, left, host := make(chan struct{}), false, new(forgetful)
		s, _, h := newTold(t, false, slog.LevelInfo, func(c *Config) { c.Host = host })
		Drive(s).OnClosed(func() { left = true })
		h.on = func(slog.Record) { <-proceed }
		c := s.attach(newFakeLink(unbounded), 0)
		heard(t, c)
		c.End(io.EOF) // the handler is at work, and nothing waits for it but the end
		<-s.Done()
		synctest.Wait()
		require.True(t, left)
		require.Zero(t, host.times.Load())
		proceed <- struct{}{}
		synctest.Wait()
		require.Zero(t, host.times.Load())
		proceed <- struct{}{}
		synctest.Wait()
		require.EqualValues(t, 1, host.times.Load())
		require.Len(t, h.take(), 2)
	})
}

// What is not enabled is not made.
func TestNothingIsMadeForASilentLogger(t *testing.T) {
	s, _, h := newTold(t, false, slog.LevelError, nil)
	l := &line{level: slog.LevelInfo, text: "x", remote: s.remote}
	require.Zero(t, testing.AllocsPerRun(10, func() { s.tellLine(l) }))
	require.Empty(t, h.lines)
	silent, _ := newFake(t, false, nil)
	require.Nil(t, silent.journal)
}

// A handler that does not return holds up the lines of its session, which stay bounded, and tells how
// many were left out when it goes on.
func TestASlowHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dialer, h := newTold(t, true, slog.LevelInfo, nil)
		proceed := make(chan struct{})
		h.on = func(slog.Record) { <-proceed }
		const outages = 100
		for range outages {
			c := begin(s, newFakeLink(unbounded))
			synctest.Wait() // the handler has the first
			heard(t, c)
			c.End(errCut)
			<-dialer.redials
		}
		require.Len(t, s.journal.lines, maxLines)
		close(proceed)
		lines := h.take()
		require.Len(t, lines, 1+maxLines)
		require.Contains(t, lines[1], fmt.Sprintf("suppressed=%d", 2*outages-1-maxLines))
		require.Contains(t, lines[maxLines], fmt.Sprintf("connection lost epoch=%d", outages))
		s.CloseNow(nil)
	})
}
