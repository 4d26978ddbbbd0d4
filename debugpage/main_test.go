package debugpage_test

import (
	"encoding/json"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/debugpage"
	"github.com/netasync/netasync/engine"
	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/session"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// scene is an engine that listens and dials itself, with its page.
type scene struct {
	t        *testing.T
	engine   *netasync.Engine
	listener *netasync.Listener
	page     http.Handler
}

func newScene(t *testing.T, o netasync.ListenOptions) *scene {
	t.Helper()
	e, err := netasync.NewEngine(netasync.EngineOptions{Loops: 1})
	require.NoError(t, err)
	t.Cleanup(func() { _ = e.Shutdown(testkit.Context(t)) })
	o.Name = "collector"
	l, err := e.Listen("127.0.0.1:0", o)
	require.NoError(t, err)
	return &scene{t, e, l, debugpage.Handler(e)}
}

// connect returns both ends of a connection.
func (s *scene) connect(o netasync.ConnectOptions) (dialed, accepted *netasync.Session) {
	s.t.Helper()
	dialed, err := s.engine.Connect(s.listener.Addr().String(), o)
	require.NoError(s.t, err)
	accepted = testkit.Take(s.t, s.listener.AcceptChan())
	require.NoError(s.t, dialed.WaitConnected(testkit.Context(s.t)))
	return dialed, accepted
}

// get asks a handler for a path.
func get(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

// decode asks for JSON.
func decode[T any](t *testing.T, h http.Handler, path string) (v T) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Accept", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.NoError(t, json.NewDecoder(w.Body).Decode(&v))
	return v
}

// page is what is common to the JSON of the overview and of the list.
type sessions struct {
	Total, Matching, Offset, Limit int
	Sessions                       []debugpage.Row
}

func (s sessions) ids() (ids []uint64) {
	for _, r := range s.Sessions {
		ids = append(ids, r.ID)
	}
	return ids
}

// fake is a source with sessions that have no engine.
type fake struct {
	sessions []*session.Session
	names    map[string]session.Totals
}

func (f *fake) Sessions() iter.Seq[*session.Session] { return slices.Values(f.sessions) }
func (f *fake) Stats() engine.Stats                  { return engine.Stats{Sessions: len(f.sessions)} }
func (f *fake) History() *session.History            { return new(session.History) }
func (f *fake) Health() error                        { return nil }
func (f *fake) Totals() iter.Seq2[string, session.Totals] {
	return func(yield func(string, session.Totals) bool) {
		for name, t := range f.names {
			if !yield(name, t) {
				return
			}
		}
	}
}

// many returns a source with n sessions.
func many(n int, name string) *fake {
	f := &fake{names: map[string]session.Totals{name: {Sessions: n}}}
	cfg := &session.Config{Name: name}
	cfg.ReadBuffer, _ = session.Buffer{}.Resolve("ReadBuffer", session.DefaultReadBytes)
	cfg.WriteBuffer, _ = session.Buffer{}.Resolve("WriteBuffer", session.DefaultWriteBytes)
	for i := range n {
		f.sessions = append(f.sessions, session.New(uint64(i+1), cfg, &net.TCPAddr{IP: net.IPv4(10, 0, byte(i>>8), byte(i)), Port: 9000}))
	}
	return f
}

// text returns a body.
func text(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	body, err := io.ReadAll(w.Body)
	require.NoError(t, err)
	return string(body)
}

// dialNobody returns a session whose peer is not there.
func (s *scene) dialNobody(name string) *netasync.Session {
	s.t.Helper()
	c, err := s.engine.Connect(testkit.DeadAddr(s.t).String(), netasync.ConnectOptions{Name: name})
	require.NoError(s.t, err)
	testkit.Eventually(s.t, func() bool { return c.Stats().LastError != nil }, "it has tried")
	return c
}

func idText(s *netasync.Session) string { return strconv.FormatUint(s.ID(), 10) }
