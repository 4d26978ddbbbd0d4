package netasync_test

import (
	"crypto/tls"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// listenInTheOpen stands in SECURITY.md.
func listenInTheOpen(engine *netasync.Engine, mutualTLS *tls.Config) (*netasync.Listener, error) {
	return engine.Listen(":8899", netasync.ListenOptions{
		TLS:                mutualTLS, // with ClientAuth: tls.RequireAndVerifyClientCert
		MaxPayload:         64 << 10,
		ReadBuffer:         netasync.Buffer{Bytes: 512 << 10},
		WriteBuffer:        netasync.Buffer{Bytes: 512 << 10},
		MinRate:            4 << 10, // bytes a second, of a message that has begun
		WriteTimeout:       30 * time.Second,
		HandshakeTimeout:   3 * time.Second,
		MaxPending:         256,
		MaxSessions:        10_000,
		MaxSessionsPerAddr: 100,
	})
}

// What SECURITY.md shows is what compiles here, word for word, and what its options allow.
func TestSecurityPage(t *testing.T) {
	source, err := os.ReadFile("security_test.go")
	require.NoError(t, err)
	page, err := os.ReadFile("SECURITY.md")
	require.NoError(t, err)
	_, shown, _ := strings.Cut(string(page), "```go\n")
	shown, _, found := strings.Cut(shown, "```")
	require.True(t, found)
	require.Contains(t, string(source), "\n"+shown)

	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	require.NoError(t, err)
	require.NoError(t, engine.Shutdown(t.Context()))
	_, err = listenInTheOpen(engine, nil)
	require.ErrorIs(t, err, netasync.ErrShutdown, "the options are valid")
}

// Every option, error and function that SECURITY.md names is there.
func TestSecurityPageNamesWhatThereIs(t *testing.T) {
	page, err := os.ReadFile("SECURITY.md")
	require.NoError(t, err)
	known := map[string]bool{"ulimit -n": true, "WriteChan": true, "io.ErrUnexpectedEOF": true, "ClientAuth": true, "Send": true, "Listener": true, "Handler": true, "NewHandler": true, "FollowRedirect": true}
	for _, of := range []any{netasync.ListenOptions{}, netasync.EngineOptions{}} {
		for field := range reflect.TypeOf(of).NumField() {
			name := reflect.TypeOf(of).Field(field).Name
			known[name], known["EngineOptions."+name] = true, true
		}
	}
	for _, err := range []error{
		netasync.ErrSlowFrame, netasync.ErrOverloaded, netasync.ErrWriteTimeout, netasync.ErrHeartbeatTimeout, netasync.ErrUndeliverable,
	} {
		require.Error(t, err)
	}
	for _, name := range []string{"ErrSlowFrame", "ErrOverloaded", "ErrWriteTimeout", "ErrHeartbeatTimeout", "ErrUndeliverable"} {
		known[name] = true
	}
	prose, _, _ := strings.Cut(string(page), "```go")
	for _, quoted := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(prose, -1) {
		require.True(t, known[quoted[1]], "SECURITY.md names %q", quoted[1])
	}
}
