package e2e_test

import (
	"crypto/tls"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// Anybody on the way can end a TCP connection. Under TLS only the peer can say that it has ended:
// what ends without that may have been cut off.
func TestTruncationOfTLS(t *testing.T) {
	ends := map[string]struct {
		end  func(*tls.Conn) error
		want error
	}{
		"goodbye": {(*tls.Conn).Close, io.EOF},
		"cut":     {func(c *tls.Conn) error { return c.NetConn().Close() }, io.ErrUnexpectedEOF},
	}
	for name, c := range ends {
		for _, messages := range []int{0, 3} {
			t.Run(name, func(t *testing.T) {
				for _, inline := range []bool{false, true} {
					o := netasync.ListenOptions{TLS: certificates().server(false)}
					events := make(chan netasync.Event, 10)
					if inline {
						o.Inline = true
						o.OnEvent = func(_ *netasync.Session, ev netasync.Event) { events <- ev }
					}
					ln := listen(t, newEngine(t), o)
					conn, err := tls.Dial("tcp", ln.Addr().String(), certificates().client(false))
					require.NoError(t, err)
					_, err = io.ReadFull(conn, make([]byte, 4)) // the greeting: nothing unread may reset it
					require.NoError(t, err)
					for range messages {
						testkit.Write(t, conn, testkit.Frames("m"))
					}
					require.NoError(t, c.end(conn))
					var last netasync.Event
					if inline {
						for last = range events {
							if last.Kind == netasync.Closed {
								break
							}
						}
					} else {
						var before []netasync.Event
						before, last = untilClosed(t, testkit.Take(t, ln.AcceptChan()))
						require.Len(t, before, 1+messages)
					}
					require.Equal(t, c.want, last.Err)
				}
			})
		}
		t.Run(name+"/dialed", func(t *testing.T) {
			ln := testkit.Listen(t)
			s := connect(t, newEngine(t), ln.Addr(), netasync.ConnectOptions{TLS: certificates().client(false), Backoff: netasync.FixedDelay(time.Hour)})
			conn := tls.Server(testkit.Accept(t, ln), certificates().server(false))
			require.NoError(t, conn.Handshake())
			expect(t, s, netasync.Connected)
			require.NoError(t, c.end(conn))
			require.Equal(t, c.want, expect(t, s, netasync.Disconnected).Err)
		})
	}
}

// A session that has said goodbye itself ends in an orderly way, however its peer answers.
func TestTruncationAfterOurGoodbye(t *testing.T) {
	dialed, accepted := pair(t, netasync.ListenOptions{TLS: certificates().server(false)},
		netasync.ConnectOptions{TLS: certificates().client(false)})
	require.NoError(t, dialed.Close())
	require.NoError(t, expectClosed(t, dialed).Err)
	require.Equal(t, io.EOF, expectClosed(t, accepted).Err)
}
