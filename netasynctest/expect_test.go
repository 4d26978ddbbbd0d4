package netasynctest_test

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	nt "github.com/netasync/netasync/netasynctest"
)

// failing is a test that is to fail, and says why.
type failing struct {
	testing.TB
	why string
}

func (f *failing) Helper() {}

func (f *failing) Fatal(args ...any) {
	f.why = fmt.Sprint(args...)
	runtime.Goexit()
}

func (f *failing) Fatalf(format string, args ...any) { f.Fatal(fmt.Sprintf(format, args...)) }

// failure returns how a test fails.
func failure(t *testing.T, test func(t testing.TB)) string {
	t.Helper()
	f := &failing{TB: t}
	done := make(chan struct{})
	go func() { defer close(done); test(f) }()
	<-done
	require.NotEmpty(t, f.why, "it is to fail")
	return f.why
}

// scene is a client to whom a server has said one and two, before its connection was cut.
func scene(t *testing.T) *netasync.Session {
	n := nt.NewNetwork(t)
	l, err := n.Engine("server", netasync.EngineOptions{}).Listen(":1", netasync.ListenOptions{})
	require.NoError(t, err)
	client, err := n.Engine("client", netasync.EngineOptions{}).Connect("server:1", netasync.ConnectOptions{})
	require.NoError(t, err)
	server := <-l.AcceptChan()
	require.NoError(t, server.Send(t.Context(), []byte("one")))
	require.NoError(t, server.Send(t.Context(), []byte("two")))
	synctest.Wait()
	n.Refuse("server", errCut)
	n.Link("client", "server").Cut(nil)
	return client
}

func TestExpect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		s := scene(t)
		came := nt.Expect(t, s, nt.IsConnected, nt.IsMessage("one"), nt.IsMessage([]byte("two")), nt.IsDisconnected(syscall.ECONNRESET))
		require.Len(t, came, 4)
		require.EqualValues(t, 1, came[3].Epoch)
		require.Zero(t, time.Since(begin))
		s.CloseNow(errCut)
		nt.Expect(t, s, nt.IsClosed(errCut))
	})
}

// A failure shows what is to be, what is, and all that has come.
func TestExpectFails(t *testing.T) {
	all := `
all events that have come:
	1  connected (epoch 1)
	2  message "one" (epoch 1)
	3  message "two" (epoch 1)
	4  disconnected: read tcp client:49152->server:1: connection reset by peer (epoch 1)`
	for _, c := range []struct {
		events []nt.Matcher
		want   string
	}{
		{[]nt.Matcher{nt.IsMessage("one")}, "event 1 of 1 is to be\n\tmessage \"one\"\nand is\n\tconnected (epoch 1)" + all},
		{[]nt.Matcher{nt.IsConnected, nt.IsMessage("one"), nt.IsDisconnected(io.EOF), nt.IsConnected},
			"event 3 of 4 is to be\n\tdisconnected: EOF\nand is\n\tmessage \"two\" (epoch 1)" + all},
		{[]nt.Matcher{nt.IsConnected, nt.IsMessage("one"), nt.IsMessage("two"), nt.IsDisconnected(nil), nt.IsClosed(nil)},
			"event 5 of 5 is to be\n\tclosed, without an error\nand is\n\tmissing after 5s" + all},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := scene(t)
			require.Equal(t, "netasynctest: "+c.want, failure(t, func(t testing.TB) { nt.Expect(t, s, c.events...) }))
		})
	}
	synctest.Test(t, func(t *testing.T) {
		s := scene(t)
		s.CloseNow(nil)
		nt.Drain(t, s)
		why := failure(t, func(t testing.TB) { nt.Expect(t, s, nt.IsConnected) })
		require.Contains(t, why, "the session has closed\nno event has come")
	})
	synctest.Test(t, func(t *testing.T) {
		client, _ := nt.Pair(t, netasync.ConnectOptions{OnEvent: nt.Recorder().OnEvent}, netasync.ListenOptions{})
		for _, f := range []func(t testing.TB){
			func(t testing.TB) { nt.Expect(t, client, nt.IsConnected) },
			func(t testing.TB) { nt.Quiet(t, client, 1) },
			func(t testing.TB) { nt.Drain(t, client) },
		} {
			require.Contains(t, failure(t, f), netasync.ErrCallbacks.Error())
		}
	})
}

// What each matcher takes, and what it says about the rest.
func TestMatchers(t *testing.T) {
	reset := fmt.Errorf("wrapped: %w", syscall.ECONNRESET)
	events := []netasync.Event{
		{}, {Kind: netasync.Connected},
		{Kind: netasync.Message, Payload: []byte("m")}, {Kind: netasync.Message, Payload: []byte("other")},
		{Kind: netasync.Disconnected, Err: reset}, {Kind: netasync.Disconnected, Err: io.EOF},
		{Kind: netasync.Closed}, {Kind: netasync.Closed, Err: reset},
	}
	long := strings.Repeat("l", 101)
	for _, c := range []struct {
		m     nt.Matcher
		takes []int
		says  string
	}{
		{nt.IsConnected, []int{1}, "connected"},
		{nt.IsMessage("m"), []int{2}, `message "m"`},
		{nt.IsMessage(long), nil, `message "` + long[:100] + `"… of 101 bytes`},
		{nt.IsDisconnected(nil), []int{4, 5}, "disconnected"},
		{nt.IsDisconnected(syscall.ECONNRESET), []int{4}, "disconnected: connection reset by peer"},
		{nt.IsClosed(nil), []int{6}, "closed, without an error"},
		{nt.IsClosed(syscall.ECONNRESET), []int{7}, "closed: connection reset by peer"},
	} {
		var takes []int
		for i, ev := range events {
			if err := c.m(ev); err == nil {
				takes = append(takes, i)
			} else {
				require.EqualError(t, err, c.says)
			}
		}
		require.Equal(t, c.takes, takes, c.says)
	}
}

// What happens in a bubble when exactly the patience is over is in time.
func TestPatienceIsExact(t *testing.T) {
	for _, d := range []time.Duration{0, time.Nanosecond, nt.Patience, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			rec := nt.Recorder()
			time.AfterFunc(d, func() { rec.OnEvent(nil, netasync.Event{Kind: netasync.Connected}) })
			nt.ExpectWithin(t, d, rec, nt.IsConnected)
			time.AfterFunc(d+2, func() { rec.OnEvent(nil, netasync.Event{Kind: netasync.Connected}) })
			require.Contains(t, failure(t, func(t testing.TB) { nt.ExpectWithin(t, d, rec, nt.IsConnected) }), "missing after")
		})
	}
}

func TestQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := scene(t)
		require.Equal(t, `netasynctest: it is to be quiet for 1s
all events that have come:
	1  connected (epoch 1)
	2  message "one" (epoch 1)
	3  message "two" (epoch 1)
	4  disconnected: read tcp client:49152->server:1: connection reset by peer (epoch 1)`,
			failure(t, func(t testing.TB) { nt.Quiet(t, s, time.Second) }))
		begin := time.Now()
		nt.Quiet(t, s, time.Hour)
		require.Equal(t, time.Hour, time.Since(begin))
		s.CloseNow(nil)
		nt.Drain(t, s)
		begin = time.Now()
		nt.Quiet(t, s, time.Hour)
		require.Zero(t, time.Since(begin))
	})
}

// Drain takes what there is, however the session is used.
func TestDrain(t *testing.T) {
	for _, byChannel := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := scene(t)
			if byChannel {
				s.ReadChan()
			}
			require.Len(t, nt.Drain(t, s), 4)
			require.Empty(t, nt.Drain(t, s))
			s.CloseNow(nil)
			require.Len(t, nt.Drain(t, s), 1)
			require.Empty(t, nt.Drain(t, s))
		})
	}
}

// A recording keeps its own copies, for any number that wait.
func TestRecorder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := nt.Recorder()
		p := []byte("kept")
		rec.OnEvent(nil, netasync.Event{Kind: netasync.Message, Payload: p})
		clear(p)
		nt.Expect(t, rec, nt.IsMessage("kept"))
		nt.Quiet(t, rec, time.Hour)

		got := make(chan netasync.Event, 2)
		for range cap(got) {
			go func() {
				ev, _ := rec.Recv(t.Context())
				got <- ev
			}()
		}
		synctest.Wait()
		rec.OnEvent(nil, netasync.Event{Epoch: 1})
		rec.OnEvent(nil, netasync.Event{Epoch: 2})
		require.EqualValues(t, 3, (<-got).Epoch+(<-got).Epoch)
		require.Empty(t, nt.Drain(t, rec))
	})
}
