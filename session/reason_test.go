package session

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
)

// What each end of a connection counts as, however it is wrapped.
func TestReasonOf(t *testing.T) {
	for _, c := range []struct {
		err  error
		want Reason
	}{
		{nil, ReasonShutdown},
		{ErrShutdown, ReasonShutdown},
		{fmt.Errorf("%w: %w", ErrLinger, io.EOF), ReasonShutdown},
		{io.EOF, ReasonEOF},
		{io.ErrUnexpectedEOF, ReasonReset},
		{&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, ReasonReset},
		{syscall.EPIPE, ReasonReset},
		{ErrHeartbeatTimeout, ReasonHeartbeat},
		{ErrWriteTimeout, ReasonHeartbeat},
		{&codec.FrameTooLargeError{Length: 5, Max: 4}, ReasonProtocol},
		{ErrBadHeader, ReasonProtocol},
		{ErrSlowFrame, ReasonProtocol},
		{&net.OpError{Op: "remote error", Err: tls.AlertError(40)}, ReasonTLS},
		{tls.RecordHeaderError{Msg: "no TLS"}, ReasonTLS},
		{ErrOverloaded, ReasonOther},
		{errors.New("anything"), ReasonOther},
	} {
		require.Equal(t, c.want, reasonOf(c.err), "%v", c.err)
	}
	for r := range Reason(Reasons) {
		require.NotContains(t, r.String(), "Reason", "each has a name")
	}
	require.Equal(t, "Reason(7)", Reason(Reasons).String())
}

// What comes to a turn of callbacks that is not over when its session has closed is in the totals.
func TestTotalsOfATurnThatOutlastsItsSession(t *testing.T) {
	var r Registry
	host, group := &registryHost{r: &r}, r.Group("name")
	release := make(chan struct{})
	entered := make(chan struct{})
	s := r.Add(func(id uint64) *Session {
		s, _ := newFake(t, false, func(c *Config) {
			c.Host, c.Group, c.Name = host, group, "name"
			c.Inline = true
			c.OnEvent = func(_ *Session, ev Event) {
				if ev.Kind == Message {
					close(entered)
					<-release
				}
			}
		})
		s.id = id
		return s
	})
	c := s.attach(newFakeLink(unbounded), 0)
	c.Start(false)
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		_, _, _ = c.Feed([]byte{0, 0, 0, 2, 'h', 'i'}, false) // off the loop: there a turn holds the end up
	}()
	<-entered
	s.CloseNow(errCut)
	<-s.Done()
	close(release)
	<-fed
	for name, sum := range r.Totals() {
		require.Equal(t, "name", name)
		require.EqualValues(t, 1, sum.Received)
		require.EqualValues(t, 2, sum.ReceivedBytes)
		require.EqualValues(t, 1, sum.Disconnects[ReasonShutdown])
		require.Zero(t, sum.Sessions)
	}
}
