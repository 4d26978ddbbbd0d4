package operating

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// The lines of a connection, an outage and an end have the keys that the page lists, and no others.
func TestLogger(t *testing.T) {
	page, err := os.ReadFile("../../operating.md")
	require.NoError(t, err)
	_, keys, _ := strings.Cut(string(page), "## Logs")
	keys, _, _ = strings.Cut(keys, "\n## ")
	var text bytes.Buffer
	engine, err := newEngine(&text)
	require.NoError(t, err)
	ln := testkit.Listen(t)
	s, err := engine.Connect(ln.Addr().String(), netasync.ConnectOptions{Name: "sensors"})
	require.NoError(t, err)
	for range 2 {
		conn := testkit.Accept(t, ln)
		require.NoError(t, s.WaitConnected(testkit.Context(t)))
		require.NoError(t, conn.Close())
		require.NoError(t, waitFor(t, s, netasync.Disconnected))
	}
	require.NoError(t, ln.Close())
	require.NoError(t, s.Send(testkit.Context(t), []byte("secret")))
	s.CloseNow(nil)
	_ = engine.Shutdown(testkit.Context(t))

	messages := map[string]bool{}
	for line := range strings.Lines(text.String()) {
		require.NotContains(t, line, "secret")
		var attrs map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &attrs))
		messages[attrs["msg"].(string)] = true
		for key := range attrs {
			if key != "msg" && key != "level" && key != "time" {
				require.Contains(t, keys, "`"+key+"`")
			}
		}
	}
	for _, want := range []string{"connected", "connection lost", "closed", "messages were not sent", "drained"} {
		require.True(t, messages["netasync: "+want], "%s in %s", want, text.String())
	}
	for m := range messages {
		require.Contains(t, keys, "`"+strings.TrimPrefix(m, "netasync: ")+"`")
	}
}

// waitFor reads events up to one of that kind.
func waitFor(t *testing.T, s *netasync.Session, kind netasync.EventKind) error {
	for {
		ev, err := s.Recv(testkit.Context(t))
		if err != nil || ev.Kind == kind {
			return err
		}
	}
}

func TestTotals(t *testing.T) {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = engine.Shutdown(testkit.Context(t)) })
	ln := testkit.Listen(t)
	s, err := engine.Connect(ln.Addr().String(), netasync.ConnectOptions{Name: "sensors"})
	require.NoError(t, err)
	conn := testkit.Accept(t, ln)
	require.NoError(t, s.WaitConnected(testkit.Context(t)))
	require.NoError(t, conn.Close())
	require.NoError(t, waitFor(t, s, netasync.Disconnected))
	var out bytes.Buffer
	show(&out, engine)
	require.Regexp(t, `^sensors: 1 sessions, [01] connected; 0 messages wait for peers, 0 for us\n  1 connections ended by eof\n$`, out.String())
}

// The socket of systemd is taken where there is one: here this program starts itself so, through a shell, as
// LISTEN_PID is that of the process itself.
func TestListen(t *testing.T) {
	const env = "DOCS_TEST_ACTIVATION"
	if want := os.Getenv(env); want != "" {
		ln, err := listen("127.0.0.1:0")
		require.NoError(t, err)
		require.Equal(t, want, ln.Addr().String())
		return
	}
	ln, err := listen("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	file, err := ln.(*net.TCPListener).File()
	require.NoError(t, err)
	defer file.Close()
	child := exec.Command("sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" -test.v -test.run '^TestListen$'`, os.Args[0])
	child.ExtraFiles = []*os.File{file}
	child.Env = append(os.Environ(), env+"="+ln.Addr().String())
	out, err := child.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: TestListen")
}

// The page names metrics as the module prom does, reasons as the library does, and counters that exist.
func TestNames(t *testing.T) {
	page, err := os.ReadFile("../../operating.md")
	require.NoError(t, err)
	for _, found := range regexp.MustCompile("`reason=\"(\\w+)\"`").FindAllStringSubmatch(string(page), -1) {
		known := false
		for r := netasync.ReasonEOF; r <= netasync.ReasonOther; r++ {
			known = known || r.String() == found[1]
		}
		require.True(t, known, found[1])
	}
}
