package netasync_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// Sessions that nobody will hear of are closed.
func TestListenerCloseWhileAcceptChanIsFull(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{AcceptBuffer: 1})
	for range 4 {
		rawDial(t, ln.Addr())
	}
	eventually(t, func() bool { return e.Stats().Sessions == 4 }, "one waits in AcceptChan, the others for room there")
	require.NoError(t, ln.Close())
	eventually(t, func() bool { return e.Stats().Sessions == 1 }, "the others are closed")
}

// More are refused than may be admitted, or open, at a time.
func TestRefusalsTakeNoRoomForGood(t *testing.T) {
	e := newEngine(t)
	var admit atomic.Bool
	ln := listen(t, e, netasync.ListenOptions{MaxSessions: 1, Authorize: func(net.Conn) error {
		if admit.Load() {
			return nil
		}
		return errors.New("no")
	}})
	for range 150 { // more than admissions
		expectEOF(t, rawDial(t, ln.Addr()))
	}
	admit.Store(true)
	rawDial(t, ln.Addr())
	take(t, ln.AcceptChan())
}

// A client whose handshake fails hangs up.
func TestFailedHandshakeClosesTheConnection(t *testing.T) {
	ln := rawListen(t)
	c := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{TLS: certificates().client(false), Backoff: netasync.FixedDelay(time.Hour)})
	conn := rawAccept(t, ln)
	write(t, conn, []byte("this is no TLS, and never will be"))
	expect(t, c, netasync.Disconnected)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(2*time.Second)))
	buf := make([]byte, 4096)
	for {
		if _, err := conn.Read(buf); err != nil {
			var timeout net.Error
			require.False(t, errors.As(err, &timeout) && timeout.Timeout(), "the connection is still open")
			return
		}
	}
}

// Close does not wait for a silent handshake, which is given 5 s.
func TestListenerCloseEndsHandshakes(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{TLS: certificates().server(false)})
	rawDial(t, ln.Addr())
	require.NoError(t, ln.Close())
	require.True(t, in(4*time.Second, func() { ended(t, ln.AcceptChan()) }))
}

// The logger hears of what is no event; without one nobody does.
func TestLogger(t *testing.T) {
	var lines lockedBuffer
	e, err := netasync.NewEngine(netasync.EngineOptions{Logger: slog.New(slog.NewTextHandler(&lines, nil))})
	require.NoError(t, err)
	t.Cleanup(func() { endEngine(t, e) })
	ln := listen(t, e, netasync.ListenOptions{Authorize: func(net.Conn) error { return errors.New("not you") }})
	expectEOF(t, rawDial(t, ln.Addr()))
	connect(t, e, deadAddr(t), netasync.ConnectOptions{})
	eventually(t, func() bool {
		return strings.Contains(lines.String(), "not you") && strings.Contains(lines.String(), "connecting failed")
	}, "both are logged")
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

// What users do not need, they do not see: the names are those of the documentation.
func TestMethodsOfTheFace(t *testing.T) {
	for _, c := range []struct {
		of    any
		names string
	}{
		{&netasync.Session{}, "Close Done ID LocalAddr ReadChan Recv RemoteAddr RetryNow Send SetValue State Stats TrySend Value WriteChan"},
		{&netasync.Engine{}, "Connect Listen Sessions Shutdown Stats"},
		{&netasync.Listener{}, "AcceptChan Addr Close"},
		{&netasync.Handler{}, "AcceptChan OnBoot OnClose OnOpen OnShutdown OnTick OnTraffic Shutdown Stats"},
	} {
		var names []string
		for i := range reflect.TypeOf(c.of).NumMethod() {
			names = append(names, reflect.TypeOf(c.of).Method(i).Name)
		}
		require.Equal(t, c.names, strings.Join(names, " "))
	}
}
