package e2e_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/netasynctest"
)

// heard is what users were told by OnEvent, but for messages, by session.
type heard struct {
	mu sync.Mutex
	by map[uint64][]netasync.PastEvent
}

func (h *heard) onEvent(s *netasync.Session, ev netasync.Event) {
	if ev.Kind == netasync.Message {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.by == nil {
		h.by = map[uint64][]netasync.PastEvent{}
	}
	h.by[s.ID()] = append(h.by[s.ID()], netasync.PastEvent{
		Session: s.ID(), Name: s.Name(), Kind: ev.Kind, Err: ev.Err, Epoch: ev.Epoch,
		Queued: ev.Queued, Resumed: ev.Resumed, Lost: ev.Lost,
	})
}

// requireIn requires that a history has what was heard, and nothing else, and each session that closed.
func (h *heard) requireIn(t *testing.T, past *netasync.History) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	kept, ended := map[uint64][]netasync.PastEvent{}, map[uint64]error{}
	before := time.Time{}
	for _, ev := range past.Events() {
		require.False(t, ev.Time.Before(before))
		before = ev.Time
		require.NotNil(t, ev.Remote)
		ev.Time, ev.Remote = time.Time{}, nil
		kept[ev.Session] = append(kept[ev.Session], ev)
		if ev.Kind == netasync.Closed {
			ended[ev.Session] = ev.Err
		}
	}
	require.Equal(t, h.by, kept)
	require.Len(t, past.Closed(), len(ended))
	for _, c := range past.Closed() {
		require.Equal(t, ended[c.Session], c.Err)
		require.Equal(t, kept[c.Session][len(kept[c.Session])-1].Epoch, c.Stats.Epoch)
	}
}

// The history is what users hear of, with whatever option, on both sides of a network that fails.
func TestHistoryIsWhatUsersHear(t *testing.T) {
	for name, o := range map[string]netasync.ConnectOptions{
		"plain":       {},
		"inline":      {Inline: true},
		"Resume":      {Resume: true},
		"AwaitPeer":   {AwaitPeer: true},
		"Refuse":      {WhileDown: netasync.Refuse},
		"MaxAttempts": {MaxAttempts: 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := netasynctest.NewNetwork(t)
				client, server := n.Engine("client", netasync.EngineOptions{}), n.Engine("server", netasync.EngineOptions{})
				var dialed, accepted heard
				lo := netasync.ListenOptions{Name: "server", Resume: o.Resume, OnEvent: accepted.onEvent}
				if o.Resume {
					lo.ResumeWindow = 10 * time.Second
				}
				_, err := server.Listen("server:1", lo)
				require.NoError(t, err)
				o.OnEvent, o.Backoff, o.Name = dialed.onEvent, netasync.FixedDelay(time.Second), "client"
				n.Refuse("server", errors.New("not yet"))
				s, err := client.Connect("server:1", o)
				require.NoError(t, err)
				synctest.Wait()
				n.Refuse("server", nil)
				link := n.Link("client", "server")
				for round := range 12 {
					time.Sleep(2 * time.Second)
					_ = s.TrySend(make([]byte, 100)) // refused if it is down
					switch round % 4 {
					case 0:
						link.Cut(errors.New("cut"))
					case 1:
						link.Close()
					case 2:
						link.CutAfter(50)
					case 3:
						link.Vanish()
						time.Sleep(40 * time.Second) // longer than HeartbeatTimeout and ResumeWindow
						link.Heal()
					}
				}
				time.Sleep(5 * time.Second)
				s.CloseNow(errors.New("enough"))
				require.NoError(t, client.Shutdown(t.Context()))
				require.NoError(t, server.Shutdown(t.Context()))
				synctest.Wait()
				dialed.requireIn(t, client.History())
				accepted.requireIn(t, server.History())
				require.Greater(t, len(dialed.by[s.ID()]), 3)
				require.True(t, client.History().Closed()[0].Dialed)
				require.False(t, server.History().Closed()[0].Dialed)
			})
		})
	}
}

// stubborn is an error that asks the session for something when it is read, which
// takes its lock.
type stubborn struct {
	session *netasync.Session
	asked   int
}

func (s *stubborn) Error() string {
	s.asked++
	return s.session.State().String()
}

// Nothing of the user's is called when an event is kept, only when somebody reads it.
func TestHistoryCallsNothing(t *testing.T) {
	_, server := netasynctest.Pair(t, netasync.ConnectOptions{}, netasync.ListenOptions{})
	why := &stubborn{session: server}
	server.CloseNow(why)
	<-server.Done()
	require.Zero(t, why.asked)
}

// A session that has closed is known at once, whoever keeps the logger waiting.
func TestHistoryDoesNotWaitForALogger(t *testing.T) {
	blocks := make(chan struct{})
	e, err := netasync.NewEngine(netasync.EngineOptions{Loops: 1, Logger: slog.New(slowHandler{slog.DiscardHandler, blocks})})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Shutdown(testkit.Context(t))) })
	t.Cleanup(func() { close(blocks) })
	var closed []uint64
	for range 3 {
		c := connect(t, e, testkit.DeadAddr(t), netasync.ConnectOptions{Backoff: quick})
		c.CloseNow(nil)
		expectClosed(t, c)
		closed = append(closed, c.ID())
	}
	var kept []uint64
	for _, c := range e.History().Closed() {
		require.False(t, c.Closed.IsZero())
		kept = append(kept, c.Session)
	}
	require.Equal(t, closed, kept)
}

type slowHandler struct {
	slog.Handler
	blocks <-chan struct{}
}

func (h slowHandler) Enabled(ctx context.Context, _ slog.Level) bool { return true }
func (h slowHandler) Handle(context.Context, slog.Record) error      { <-h.blocks; return nil }

// Events are in the order of their times, however many sessions there are.
func TestHistoryIsInOrder(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{OnEvent: func(*netasync.Session, netasync.Event) {}})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				c, err := e.Connect(ln.Addr().String(), netasync.ConnectOptions{OnEvent: func(*netasync.Session, netasync.Event) {}})
				if err != nil || c.WaitConnected(t.Context()) != nil || c.Close() != nil {
					t.Error("a session failed")
					return
				}
				<-c.Done()
			}
		})
	}
	all.Wait()
	require.True(t, slices.IsSortedFunc(e.History().Events(), func(a, b netasync.PastEvent) int { return a.Time.Compare(b.Time) }))
	require.True(t, slices.IsSortedFunc(e.History().Closed(), func(a, b netasync.ClosedSession) int { return a.Closed.Compare(b.Closed) }))
}

// A history that there is not is empty.
func TestNoHistory(t *testing.T) {
	var none *netasync.History
	require.Empty(t, none.Events())
	require.Empty(t, none.Closed())
}

// A burst that fills AcceptChan for a moment is no fault; that nobody takes sessions is.
func TestHealthInABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netasynctest.NewNetwork(t)
		client, server := n.Engine("client", netasync.EngineOptions{}), n.Engine("server", netasync.EngineOptions{})
		l, err := server.Listen("server:1", netasync.ListenOptions{AcceptBuffer: 2})
		require.NoError(t, err)
		for range 10 {
			_, err := client.Connect("server:1", netasync.ConnectOptions{})
			require.NoError(t, err)
		}
		for range 4 { // its user is slow, but takes them
			synctest.Wait()
			require.NoError(t, server.Health())
			time.Sleep(900 * time.Millisecond)
			require.NoError(t, server.Health())
			<-l.AcceptChan()
		}
		synctest.Wait()
		require.NoError(t, server.Health())
		time.Sleep(time.Second)
		require.ErrorIs(t, server.Health(), netasync.ErrAcceptFull)
		for range 6 {
			<-l.AcceptChan()
		}
		require.NoError(t, server.Health())
		synctest.Wait()
	})
}

// A session that closes with messages that may not have arrived says so, in its history too.
func TestHistoryTellsWhatMayBeLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netasynctest.NewNetwork(t)
		server, client := n.Engine("server", netasync.EngineOptions{}), n.Engine("client", netasync.EngineOptions{})
		l, err := server.Listen(":1", netasync.ListenOptions{Resume: true, ResumeWindow: time.Second})
		require.NoError(t, err)
		c, err := client.Connect("server:1", netasync.ConnectOptions{Resume: true})
		require.NoError(t, err)
		s := <-l.AcceptChan()
		require.NoError(t, c.WaitConnected(t.Context()))
		link := n.Link("client", "server")
		link.Vanish()
		for range 3 {
			require.NoError(t, s.Send(t.Context(), []byte("message")))
		}
		synctest.Wait()
		link.Cut(nil)
		<-s.Done()
		events := server.History().Events()
		last := events[len(events)-1]
		require.Equal(t, netasync.Closed, last.Kind)
		require.ErrorIs(t, last.Err, netasync.ErrResumeExpired)
		require.EqualValues(t, 3, last.Lost)
		require.EqualValues(t, 3, server.History().Closed()[0].Stats.Lost)
	})
}
