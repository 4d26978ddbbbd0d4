package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/session"
)

// texts keeps lines as they are.
type texts struct {
	slog.Handler
	mu    sync.Mutex
	lines []string
}

func (h *texts) Enabled(context.Context, slog.Level) bool { return true }

func (h *texts) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%v %v", r.Level, r.Message)
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&b, " %v=%v", a.Key, a.Value)
		return true
	})
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, b.String())
	return nil
}

func (h *texts) take() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	lines := h.lines
	h.lines = nil
	return lines
}

// admissionTold returns an admission without a door, and what it tells.
func admissionTold(t *testing.T) (*admission, *texts) {
	t.Helper()
	h, out := new(host), &texts{Handler: slog.DiscardHandler}
	h.log = slog.New(out)
	p, err := (&ListenOptions{Name: "tests"}).resolve(h)
	require.NoError(t, err)
	m := new(admission)
	m.open(h, p, nil)
	return m, out
}

// A flood of refusals is not one of lines: of each reason the first is told, and then once a second
// how many there were.
func TestSuppressedRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, out := admissionTold(t)
		refuse := func(err error) { (&arrival{admission: m, remote: target{"tcp", "peer:1"}}).refuse(err) }
		const full, no = "INFO netasync: connection refused name=tests reason=MaxSessions",
			"INFO netasync: connection refused name=tests reason=Authorize"
		for range 100 {
			refuse(errMaxSessions)
			refuse(because{errRefused, byAuthorize})
		}
		synctest.Wait()
		require.ElementsMatch(t, []string{
			full + " remote=peer:1 error=netasync: MaxSessions reached", no + " remote=peer:1 error=refused by the test",
		}, out.take())
		time.Sleep(1100 * time.Millisecond)
		require.ElementsMatch(t, []string{full + " suppressed=99", no + " suppressed=99"}, out.take())
		time.Sleep(time.Minute)
		require.Empty(t, out.take())
		for range 10_000 { // ten seconds
			refuse(errMaxSessions)
			time.Sleep(time.Millisecond)
		}
		synctest.Wait()
		lines := out.take()
		require.LessOrEqual(t, len(lines), 11)
		refuse(errMaxSessions)
		m.refused.end()
		lines = append(lines, out.take()...)
		refuse(errMaxSessions) // counted, but all was told
		synctest.Wait()
		require.Empty(t, out.take())
		total := 0
		for _, l := range lines {
			n := 0
			if i := strings.Index(l, "suppressed="); i > 0 {
				_, err := fmt.Sscanf(l[i:], "suppressed=%d", &n)
				require.NoError(t, err)
			}
			if strings.Contains(l, "error=") {
				n++
			}
			total += n
		}
		require.Equal(t, 10_001, total, "each is told, or counted")
		require.EqualValues(t, 100+10_002, m.host.stats().RefusedBy.MaxSessions)
	})
}

// What a peer controls is quoted, and a failure of ours is a warning.
func TestLineOfARefusal(t *testing.T) {
	m, out := admissionTold(t)
	evil := &net.UnixAddr{Name: "/tmp/a\nb", Net: "unix"}
	(&arrival{admission: m, remote: nil}).refuse(errReset) // a warning does not wait behind it
	m.refused.work.Wait()
	out.take()
	(&arrival{admission: m, remote: evil}).refuse(because{errors.New("subject \"\x1b[2J\""), byHandshake})
	(&arrival{admission: m, remote: nil}).refuse(failure{errNotPolled})
	m.refused.end()
	lines := out.take()
	slices.Sort(lines)
	require.Len(t, lines, 2)
	require.Contains(t, lines[0], `reason=Handshake remote="/tmp/a\nb" error="subject \"\x1b[2J\""`)
	require.Contains(t, lines[1], "WARN")
	require.Contains(t, lines[1], "reason=System")
}

// All ends in a line of its own, which is a warning if something was lost.
func TestLineOfADrain(t *testing.T) {
	out := &texts{Handler: slog.DiscardHandler}
	e, err := NewEngine(EngineOptions{Logger: slog.New(out)})
	require.NoError(t, err)
	s, err := e.Connect("127.0.0.1:1", ConnectOptions{Name: "lost", Linger: time.Millisecond})
	require.NoError(t, err)
	require.NoError(t, s.Send(t.Context(), []byte("secret")))
	require.ErrorAs(t, e.Shutdown(t.Context()), new(*UnsentError))
	all := strings.Join(out.take(), "\n")
	require.Regexp(t, `WARN netasync: drained sessions=1 took=\S+ unsent=1 error=`, all)
	require.Contains(t, all, "WARN netasync: messages were not sent session=1 name=lost remote=127.0.0.1:1 epoch=0 unsent=1")
	require.NotContains(t, all, "secret")

	e, err = NewEngine(EngineOptions{Logger: slog.New(out)})
	require.NoError(t, err)
	require.NoError(t, e.Shutdown(t.Context()))
	require.Regexp(t, `^INFO netasync: drained sessions=0 took=\S+$`, strings.Join(out.take(), "\n"))
}

// Nobody to tell is told by no logger at all: sessions keep nothing then.
func TestNoLogger(t *testing.T) {
	for _, log := range []*slog.Logger{nil, slog.New(slog.DiscardHandler)} {
		e, err := NewEngine(EngineOptions{Logger: log})
		require.NoError(t, err)
		p, err := (&ListenOptions{}).resolve(&e.host)
		require.NoError(t, err)
		e.host.equip(p, "tests", e.host.log)
		require.Nil(t, p.Log)
		require.NoError(t, e.Shutdown(t.Context()))
	}
}

var _ slog.LogValuer = (*session.Session)(nil)
