package e2e_test

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"

	"github.com/panjf2000/gnet/v2/pkg/logging"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// Engines beside a gnet engine of the user's, or of a Handler's.

// recorder is a logger that somebody else in the process has given to gnet.
type recorder struct {
	quiet
	mu    sync.Mutex
	lines []string // guarded by mu
}

func (r *recorder) Infof(format string, args ...any)  { r.note(format, args) }
func (r *recorder) Errorf(format string, args ...any) { r.note(format, args) }

func (r *recorder) note(format string, args []any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

func (r *recorder) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.lines)
}

// gnet's logger for the whole process is not the engine's to replace, nor to write to.
func TestGnetsLoggerStays(t *testing.T) {
	before, flush := logging.GetDefaultLogger(), logging.GetDefaultFlusher()
	t.Cleanup(func() { logging.SetDefaultLoggerAndFlusher(before, flush) })
	others, flushed := &recorder{}, false
	logging.SetDefaultLoggerAndFlusher(others, func() error { flushed = true; return nil })
	var lines lockedBuffer
	debug := slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug})

	e, err := netasync.NewEngine(netasync.EngineOptions{Logger: slog.New(debug)})
	require.NoError(t, err)
	ln := listen(t, e, netasync.ListenOptions{})
	expect(t, connect(t, e, ln.Addr(), netasync.ConnectOptions{}), netasync.Connected)
	require.Same(t, others, logging.GetDefaultLogger())
	endEngine(t, e)
	require.Same(t, others, logging.GetDefaultLogger())
	require.NoError(t, logging.GetDefaultFlusher()())
	require.True(t, flushed)
	require.Empty(t, others.all())
	require.Contains(t, lines.String(), "gnet: Starting", "those lines are the engine's")
	require.Contains(t, lines.String(), "is exiting", "and so are the loops'")
}

// However many engines start at once, what others say reaches their logger, and nothing of ours.
func TestGnetsLoggerBesideManyEngines(t *testing.T) {
	before, flush := logging.GetDefaultLogger(), logging.GetDefaultFlusher()
	t.Cleanup(func() { logging.SetDefaultLoggerAndFlusher(before, flush) })
	others := &recorder{}
	logging.SetDefaultLoggerAndFlusher(others, nil)
	var all sync.WaitGroup
	for range 8 {
		e := newEngine(t)
		ln := listen(t, e, netasync.ListenOptions{})
		all.Go(func() { expect(t, connect(t, e, ln.Addr(), netasync.ConnectOptions{}), netasync.Connected) })
	}
	all.Wait()
	require.Empty(t, others.all())
	logging.Infof("others")
	require.Equal(t, []string{"others"}, others.all())
}
