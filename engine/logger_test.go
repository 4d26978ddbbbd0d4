package engine

import (
	"bytes"
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/reconnect"
	"github.com/netasync/netasync/session"
)

// The log has a line when attempts begin to fail, when they fail for another reason, and when their
// number is a power of two; those of all attempts are for the level Debug.
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
		var told []string
		for _, m := range regexp.MustCompile(`(?m)connecting failed.* attempts=(\d+)$`).FindAllStringSubmatch(text.String(), -1) {
			told = append(told, m[1])
		}
		require.Equal(t, []string{"1", "2", "4", "8", "11", "16"}, told, text.String())
		require.Equal(t, len(told)+1, strings.Count(text.String(), "\n"), text.String())
		require.Contains(t, text.String(), "session=1 name=dialed remote=")
		require.Contains(t, text.String(), `msg="netasync: closed"`)
		require.Contains(t, text.String(), "unknown authority")
		require.ErrorAs(t, s.Stats().LastError, new(x509.UnknownAuthorityError))
	})
}
