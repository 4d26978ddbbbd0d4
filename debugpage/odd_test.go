package debugpage_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/debugpage"
	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/netasynctest"
	"github.com/netasync/netasync/session"
)

// A page beyond the end says so, and leads back to the last one; so it is with the largest offset.
func TestBeyondTheEnd(t *testing.T) {
	h := debugpage.Handler(many(250, "agents"))
	page := text(t, get(t, h, "/sessions?offset=1000"))
	require.Contains(t, page, `<p id="range" data-live>None of 250 <a href="sessions?offset=150" rel="prev">`)
	page = text(t, get(t, h, "/sessions?offset=200"))
	require.Contains(t, page, "201 to 250 of 250")
	require.NotContains(t, page, `rel="next"`)
	page = text(t, get(t, h, "/sessions?offset=150"))
	require.Contains(t, page, "151 to 250 of 250 <a")
	require.NotContains(t, page, `rel="next"`)
	require.Contains(t, text(t, get(t, h, "/sessions?offset=149")), `rel="next"`)
	require.Equal(t, http.StatusOK, get(t, h, "/sessions?offset=1073741824&limit=1000").Code)
	require.Equal(t, http.StatusBadRequest, get(t, h, "/sessions?offset=2147483647").Code, "an int of 32 bits could not hold the end")
}

// Who takes the prefix away with its slash is served as well.
func TestStrippedWithItsSlash(t *testing.T) {
	s := newScene(t, netasync.ListenOptions{})
	s.connect(netasync.ConnectOptions{})
	mux := http.NewServeMux()
	mux.Handle("/debug/netasync/", http.StripPrefix("/debug/netasync/", s.page))
	require.Contains(t, crawl(t, mux, "/debug/netasync/"), "/debug/netasync/closed")
}

// Odd paths are answered, and never lead to another host.
func TestOddPaths(t *testing.T) {
	h := debugpage.Handler(many(3, "agents"))
	for _, path := range []string{
		"//", "//example.com", "/..", "/../page.css", "/%2f", "/%2f%2fexample.com", "/a%0d%0aX:y", "/sessions/-1",
		"/sessions/1/", "/sessions/%31", "/" + strings.Repeat("x/", 10_000), "/javascript:alert(1)", "/page.html",
	} {
		w := get(t, h, path)
		require.Less(t, w.Code, 500, path)
		if to := w.Header().Get("Location"); to != "" {
			require.Regexp(t, `^\./[^/\s]+/$`, to, path)
		}
	}
}

// The script is one for the browser, whatever the system calls its file.
func TestTypes(t *testing.T) {
	before := mime.TypeByExtension(".js")
	require.NoError(t, mime.AddExtensionType(".js", "text/plain"))
	t.Cleanup(func() { _ = mime.AddExtensionType(".js", before) })
	h := debugpage.Handler()
	require.Equal(t, "text/javascript; charset=utf-8", get(t, h, "/page.js").Header().Get("Content-Type"))
	require.Equal(t, "text/css; charset=utf-8", get(t, h, "/page.css").Header().Get("Content-Type"))
	require.Equal(t, "no-store", get(t, h, "/page.js").Header().Get("Cache-Control"))
}

// Who accepts JSON, and no HTML, gets it.
func TestAccept(t *testing.T) {
	h := debugpage.Handler(many(1, "agents"))
	for accept, want := range map[string]string{
		"": "text/html", "*/*": "text/html", "text/html, application/json": "text/html",
		"application/json": "application/json", "Application/JSON;q=0.5, */*;q=0.1": "application/json",
		"application/json;q=0, text/plain": "text/html", "text/html;q=0, application/json": "application/json",
		"application/jsonp": "text/html", ";;,": "text/html",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.True(t, strings.HasPrefix(w.Header().Get("Content-Type"), want), accept)
	}
	require.Equal(t, "text/plain; charset=utf-8", get(t, h, "/healthz?format=html").Header().Get("Content-Type"))
}

// Programs find a list where there is one, be it empty.
func TestEmptyLists(t *testing.T) {
	h := debugpage.Handler()
	for _, path := range []string{"/", "/sessions", "/events", "/closed", "/healthz"} {
		require.NotContains(t, text(t, get(t, h, path+"?format=json")), "null", path)
	}
}

// A source that is no engine is refused at once.
func TestNoSource(t *testing.T) {
	require.PanicsWithValue(t, "debugpage: source 0 is nil", func() { debugpage.Handler((*netasync.Engine)(nil)) })
}

// Links keep what chooses the sessions, once, and nothing else.
func TestLinksKeepTheChoice(t *testing.T) {
	h := debugpage.Handler(many(300, "agents"))
	page := text(t, get(t, h, "/sessions?name=agents&name=other&limit=10&offset=20&junk="+strings.Repeat("x", 10_000)))
	require.NotContains(t, page, "junk")
	require.Contains(t, page, `href="sessions?limit=10&amp;name=agents&amp;sort=queued"`)
	require.Contains(t, page, `href="sessions?limit=10&amp;name=agents&amp;offset=30"`)
	require.Contains(t, page, `href="?format=json&amp;limit=10&amp;name=agents&amp;offset=20"`)
}

// The column that sorts is said where a screen reader looks for it, and which way.
func TestSortedColumn(t *testing.T) {
	h := debugpage.Handler(many(3, "agents"))
	sorted := regexp.MustCompile(`<th[^>]* aria-sort="(\w+)"><a[^>]*>([\w ]+)<`)
	for order, want := range map[string][]string{
		"queued": {"descending", "queued"}, "name": {"ascending", "name"}, "idle": {"descending", "silent for"},
	} {
		all := sorted.FindAllStringSubmatch(text(t, get(t, h, "/sessions?sort="+order)), -1)
		require.Len(t, all, 1)
		require.Equal(t, want, all[0][1:])
	}
	require.Empty(t, sorted.FindAllString(text(t, get(t, h, "/sessions")), -1), "that is no column")
}

// gone is a source of which a session has closed.
type gone struct {
	*fake
	history *session.History
}

func (g gone) History() *session.History { return g.history }

// A text of any length, of any bytes, stays a text, and a list stays small. The page of the session has it all.
func TestLongTexts(t *testing.T) {
	s := newScene(t, netasync.ListenOptions{})
	dialed, _ := s.connect(netasync.ConnectOptions{Name: "agent"})
	cause := strings.Repeat("ü", 50_000) + "\xff<b>"
	dialed.CloseNow(errors.New(cause))
	testkit.Eventually(t, func() bool { return len(s.engine.History().Closed()) > 0 }, "it has closed")
	h := debugpage.Handler(gone{many(0, ""), s.engine.History()})
	for _, path := range []string{"/closed", "/events"} {
		for _, format := range []string{"", "?format=json"} {
			w := get(t, h, path+format)
			require.Less(t, w.Body.Len(), 10_000, path+format)
			require.True(t, utf8.Valid(w.Body.Bytes()))
			require.Contains(t, w.Body.String(), "üüü…")
		}
	}
	own := text(t, get(t, h, "/sessions/"+idText(dialed)))
	require.Greater(t, len(own), len(cause))
	require.NotContains(t, own, "<b>")
	require.True(t, utf8.ValidString(own))
}

// A session that has closed is told as it was.
func TestClosedSession(t *testing.T) {
	s := newScene(t, netasync.ListenOptions{})
	dialed, accepted := s.connect(netasync.ConnectOptions{Name: "agent"})
	require.NoError(t, dialed.Send(testkit.Context(t), []byte("message")))
	testkit.Eventually(t, func() bool { return accepted.Stats().Received == 1 }, "it arrives")
	require.NoError(t, dialed.Close())
	testkit.Eventually(t, func() bool { return len(s.engine.History().Closed()) == 2 }, "both ends have closed")
	all := map[uint64]debugpage.Row{}
	for _, r := range decode[sessions](t, s.page, "/closed").Sessions {
		all[r.ID] = r
	}
	for _, c := range []*netasync.Session{dialed, accepted} {
		r := all[c.ID()]
		require.Equal(t, []any{c.Name(), c.RemoteAddr().String(), "closed", c == dialed, uint64(1)},
			[]any{r.Name, r.Remote, r.State, r.Dialed, r.Epoch})
	}
	require.EqualValues(t, []int{1, 7}, []int{int(all[dialed.ID()].Sent), int(all[dialed.ID()].SentBytes)})
	require.EqualValues(t, []int{1, 7}, []int{int(all[accepted.ID()].Received), int(all[accepted.ID()].ReceivedBytes)})
}

// What is asked for by JSON is what HTML has.
func TestRowIsComplete(t *testing.T) {
	s := newScene(t, netasync.ListenOptions{ReadBuffer: netasync.Fixed(4)})
	dialed, accepted := s.connect(netasync.ConnectOptions{Name: "agent"})
	for range 2 {
		require.NoError(t, dialed.Send(testkit.Context(t), []byte("message")))
	}
	testkit.Eventually(t, func() bool { return accepted.Stats().Unread == 2 }, "they arrive")
	rows := decode[sessions](t, s.page, "/sessions?sort=unread").Sessions
	r := rows[0]
	require.Equal(t, []any{accepted.ID(), "collector", false, "connected", 2, 14, 50, 0, uint64(2), uint64(14)},
		[]any{r.ID, r.Name, r.Dialed, r.State, r.Unread, r.UnreadBytes, r.UnreadPercent, r.QueuedPercent, r.Received, r.ReceivedBytes})
	require.NotNil(t, r.LastReceived)
	require.NotNil(t, r.LastSent)
	require.False(t, r.Opened.IsZero())
	require.Equal(t, []any{dialed.ID(), true, uint64(2), uint64(14)}, []any{rows[1].ID, rows[1].Dialed, rows[1].Sent, rows[1].SentBytes})
	var raw map[string]any
	require.NoError(t, json.Unmarshal(get(t, s.page, fmt.Sprint("/sessions/", dialed.ID(), "?format=json")).Body.Bytes(), &raw))
	for _, key := range []string{"id", "local", "figures", "options", "queued_percent"} {
		require.Contains(t, raw, key)
	}
}

// Of the same instant, the later event comes first.
func TestEventsOfAnInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := netasynctest.NewNetwork(t)
		e := n.Engine("client", netasync.EngineOptions{})
		n.Engine("server", netasync.EngineOptions{})
		n.Refuse("server", errors.New("not yet"))
		s, err := e.Connect("server:1", netasync.ConnectOptions{})
		require.NoError(t, err)
		synctest.Wait()
		s.CloseNow(nil)
		events := decode[struct{ Events []struct{ Kind string } }](t, debugpage.Handler(e), "/events").Events
		require.Len(t, events, 2)
		require.Equal(t, "closed", events[0].Kind)
	})
}

// Who has dropped most comes first, in that order.
func TestSortedByDropped(t *testing.T) {
	s := newScene(t, netasync.ListenOptions{})
	s.dialNobody("none")
	c, err := s.engine.Connect(testkit.DeadAddr(t).String(), netasync.ConnectOptions{WriteBuffer: netasync.Dropping(1)})
	require.NoError(t, err)
	for range 3 {
		require.NoError(t, c.Send(testkit.Context(t), []byte("message")))
	}
	rows := decode[sessions](t, s.page, "/sessions?sort=dropped").Sessions
	require.Equal(t, c.ID(), rows[0].ID)
	require.EqualValues(t, 2, rows[0].Dropped)
}

// What is searched for may be as long as a request: it must not cost that much for each session.
func TestLongSearch(t *testing.T) {
	h := debugpage.Handler(many(1000, "agents"))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	require.Zero(t, decode[sessions](t, h, "/sessions?q="+strings.Repeat("A", 100_000)).Matching)
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(32<<20), "a thousand times 100 KB, thrice, is 300 MB")
}
