package consuming

import (
	"context"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/netasynctest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// inPair runs a test with both ends of a connection, in fake time.
func inPair(t *testing.T, lo netasync.ListenOptions, f func(t *testing.T, client, server *netasync.Session)) {
	synctest.Test(t, func(t *testing.T) {
		client, server := netasynctest.Pair(t, netasync.ConnectOptions{}, lo)
		f(t, client, server)
	})
}

func ask(t *testing.T, s *netasync.Session, text, want string) {
	t.Helper()
	require.NoError(t, s.Send(t.Context(), []byte(text)))
	netasynctest.Expect(t, s, netasynctest.IsMessage(want))
}

func TestChannels(t *testing.T) {
	inPair(t, netasync.ListenOptions{}, func(t *testing.T, client, server *netasync.Session) {
		netasynctest.Expect(t, client, netasynctest.IsConnected)
		jobs := make(chan []byte)
		ended := make(chan struct{})
		go func() { byChannels(server, jobs); close(ended) }()
		ask(t, client, "a", "re: a")
		jobs <- []byte("job")
		netasynctest.Expect(t, client, netasynctest.IsMessage("job"))
		server.Close()
		<-ended
	})
}

func TestRecv(t *testing.T) {
	inPair(t, netasync.ListenOptions{}, func(t *testing.T, client, server *netasync.Session) {
		netasynctest.Expect(t, client, netasynctest.IsConnected)
		ended := make(chan error)
		go func() { ended <- byRecv(t.Context(), server) }()
		ask(t, client, "a", "re: a")
		server.Close()
		require.NoError(t, <-ended)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, byRecv(ctx, client), context.Canceled)
	})
}

func TestMessages(t *testing.T) {
	for name, end := range map[string]struct {
		close func(client, server *netasync.Session)
		want  error
	}{
		"at this end": {func(_, server *netasync.Session) { server.Close() }, nil},
		"by the peer": {func(client, _ *netasync.Session) { client.Close() }, io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			inPair(t, netasync.ListenOptions{}, func(t *testing.T, client, server *netasync.Session) {
				netasynctest.Expect(t, client, netasynctest.IsConnected)
				ended := make(chan error)
				go func() { ended <- byMessages(t.Context(), server) }()
				ask(t, client, "a", "re: a")
				end.close(client, server)
				require.Equal(t, end.want, <-ended)
			})
		})
	}
}

func TestBatch(t *testing.T) {
	inPair(t, netasync.ListenOptions{}, func(t *testing.T, client, server *netasync.Session) {
		rest, err := rows(t.Context(), server, [][]byte{[]byte("a"), []byte("b"), {}, []byte("c")})
		require.ErrorIs(t, err, netasync.ErrEmptyMessage)
		require.Equal(t, [][]byte{{}, []byte("c")}, rest)
		netasynctest.Expect(t, client, netasynctest.IsConnected, netasynctest.IsMessage("a"), netasynctest.IsMessage("b"))
	})
}

func TestCallbacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netasynctest.NewNetwork(t)
		listener, err := byCallbacks(n.Engine("server", netasync.EngineOptions{}), ":8899")
		require.NoError(t, err)
		client := connect(t, n)
		ask(t, client, "a", "a")
		synctest.Wait()
		for s := range listener.Sessions() {
			require.Equal(t, "a", string(s.Value().(*account).last))
		}
		require.Empty(t, listener.AcceptChan())
	})
}

// What the audit has no room for is counted, and nobody waits.
func TestInline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netasynctest.NewNetwork(t)
		engine := n.Engine("server", netasync.EngineOptions{})
		audit, err := engine.Connect("nowhere:1", netasync.ConnectOptions{WriteBuffer: netasync.Fixed(2)})
		require.NoError(t, err)
		_, err = inline(engine, ":8899", audit)
		require.NoError(t, err)
		client := connect(t, n)
		before := missed.n.Load()
		for range 3 {
			ask(t, client, "a", "a")
		}
		synctest.Wait()
		require.EqualValues(t, 1, missed.n.Load()-before)
		require.Equal(t, 2, audit.Stats().Queued)
	})
}

// A session that discards what it gets never stops its peer; one that nobody reads does.
func TestDiscard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netasynctest.NewNetwork(t)
		engine := n.Engine("server", netasync.EngineOptions{})
		listener, err := engine.Listen(":8899", netasync.ListenOptions{})
		require.NoError(t, err)
		s, err := onlySend(n.Engine("client", netasync.EngineOptions{}), "server:8899")
		require.NoError(t, err)
		peer := <-listener.AcceptChan()
		unread := connect(t, n)
		stopped := <-listener.AcceptChan()
		flood := func(to *netasync.Session) error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			for range 10_000 {
				if err := to.Send(ctx, make([]byte, 1000)); err != nil {
					return err
				}
			}
			return to.Flush(ctx)
		}
		require.NoError(t, flood(peer))
		require.ErrorIs(t, flood(stopped), context.DeadlineExceeded)
		require.Equal(t, netasync.StateConnected, s.State())
		// Nobody reads for ten minutes more, and neither end takes the other for dead.
		time.Sleep(10 * time.Minute) // of the bubble's clock
		require.Equal(t, netasync.StateConnected, unread.State())
		require.Equal(t, netasync.StateConnected, stopped.State())
	})
}

// connect returns a client of the server that has heard of its connection.
func connect(t *testing.T, n *netasynctest.Network) *netasync.Session {
	t.Helper()
	s, err := n.Engine("client", netasync.EngineOptions{}).Connect("server:8899", netasync.ConnectOptions{})
	require.NoError(t, err)
	netasynctest.Expect(t, s, netasynctest.IsConnected)
	return s
}

// The figures on the page are those of bench.
func TestFigures(t *testing.T) {
	page, err := os.ReadFile("../../consuming.md")
	require.NoError(t, err)
	figures, err := os.ReadFile("../../../bench/README.md")
	require.NoError(t, err)
	servers, idle, ok := strings.Cut(string(figures), "<!-- from latest.json: idle -->")
	require.True(t, ok)
	row := regexp.MustCompile(`\| ([\d.]+) ns \| (?:([\d.]+) KiB|as .Recv.) \|\n`).FindAllStringSubmatch(string(page), -1)
	require.Len(t, row, 5)
	for i, name := range []string{"channels", "Recv", "Messages", "OnEvent", "Inline"} {
		require.True(t, regexp.MustCompile(`\| netasync, `+name+` \| [^|]+ \| `+row[i][1]+` \(`).MatchString(servers), name)
		if row[i][2] != "" {
			require.True(t, regexp.MustCompile(`\| netasync, `+name+` \| `+row[i][2]+` \(`).MatchString(idle), name)
		}
	}
}
