package engine

import (
	"bytes"
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/reconnect"
	"github.com/netasync/netasync/session"
)

// The log has a line when attempts begin to fail, and one when they fail for another reason; those of
// all attempts are for the level Debug.
func TestLogOfFailedAttempts(t *testing.T) {
	inBubble(t, func(t *testing.T, e *Engine, _ <-chan *peer) {
		var text bytes.Buffer
		e.host.log = slog.New(slog.NewTextHandler(&text, nil))
		attempts := 0
		e.dial = func(context.Context, string, string) (net.Conn, error) {
			if attempts++; attempts <= 10 {
				return nil, errRefused
			}
			return nil, x509.UnknownAuthorityError{}
		}
		s := mustConnect(t, e, ConnectOptions{Backoff: reconnect.FixedDelay(time.Second), MaxAttempts: 20})
		ev := mustRecv(t, s)
		require.ErrorIs(t, ev.Err, errRefused)
		require.Equal(t, session.Closed, mustRecv(t, s).Kind)
		synctest.Wait()
		require.Equal(t, 20, attempts)
		require.Equal(t, 2, strings.Count(text.String(), "\n"), text.String())
		require.Contains(t, text.String(), "unknown authority")
		require.ErrorAs(t, s.Stats().LastError, new(x509.UnknownAuthorityError))
	})
}
