package debugpage_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/debugpage"
	"github.com/netasync/netasync/internal/testkit"
)

// Who is in trouble comes first: what is queued, then what is unread, then who has no connection, then
// who is silent.
func TestSortedByTrouble(t *testing.T) {
	s := newScene(t, netasync.ListenOptions{ReadBuffer: netasync.Fixed(1 << 10)})
	s.connect(netasync.ConnectOptions{Name: "quiet"})
	slow, slowPeer := s.connect(netasync.ConnectOptions{Name: "slow"})
	away := s.dialNobody("away")
	waits := s.dialNobody("waits")
	require.NoError(t, waits.Send(testkit.Context(t), make([]byte, 300)))
	require.NoError(t, slow.Send(testkit.Context(t), make([]byte, 2000)))
	testkit.Eventually(t, func() bool { return slowPeer.Stats().Unread == 1 }, "it arrives")

	all := decode[sessions](t, s.page, "/sessions")
	require.Equal(t, 6, all.Total)
	require.Equal(t, []uint64{waits.ID(), slowPeer.ID(), away.ID()}, all.ids()[:3])
	require.Equal(t, 300, all.Sessions[0].QueuedBytes)
	require.Equal(t, 2000, all.Sessions[1].UnreadBytes)
	require.Equal(t, all.ids()[:3], decode[struct{ List sessions }](t, s.page, "/").List.ids()[:3])
}

// Each order is what it says, and names the parameter if there is no such order.
func TestSorted(t *testing.T) {
	s := newScene(t, netasync.ListenOptions{})
	one, onePeer := s.connect(netasync.ConnectOptions{Name: "one"})
	two, twoPeer := s.connect(netasync.ConnectOptions{Name: "two"})
	for range 3 {
		require.NoError(t, two.Send(testkit.Context(t), []byte("message")))
	}
	testkit.Eventually(t, func() bool { return twoPeer.Stats().Unread == 3 }, "they arrive")
	onePeer.CloseNow(errors.New("enough"))
	testkit.Take(t, s.listener.AcceptChan())
	testkit.Eventually(t, func() bool { return one.Stats().Epoch == 2 }, "it comes back")
	away := s.dialNobody("away")

	for order, first := range map[string]uint64{
		"unread": twoPeer.ID(), "received": twoPeer.ID(), "sent": two.ID(), "connections": one.ID(),
		"name": away.ID(), "newest": away.ID(), "oldest": one.ID(), "idle": away.ID(),
	} {
		require.Equal(t, first, decode[sessions](t, s.page, "/sessions?sort="+order).ids()[0], order)
	}
}

// What is asked for can be narrowed, and turned over by pages.
func TestFilters(t *testing.T) {
	s := newScene(t, netasync.ListenOptions{})
	agent, peer := s.connect(netasync.ConnectOptions{Name: "agent"})
	away := s.dialNobody("away")
	for query, want := range map[string][]uint64{
		"name=agent":                      {agent.ID()},
		"name=age":                        nil,
		"q=AGE":                           {agent.ID()},
		"q=" + peer.RemoteAddr().String(): {peer.ID()},
		"sort=oldest&limit=1":             {agent.ID()},
		"sort=newest&limit=1":             {away.ID()},
		"sort=oldest&offset=2":            {away.ID()},
		"sort=oldest&offset=20":           nil,
		"state=connected&name=away":       nil,
	} {
		require.Equal(t, want, decode[sessions](t, s.page, "/sessions?"+query).ids(), query)
	}
	got := decode[sessions](t, s.page, "/sessions?name=agent")
	require.Equal(t, []int{3, 1}, []int{got.Total, got.Matching})
}

// A bad parameter is told, by its name.
func TestBadParameters(t *testing.T) {
	s := newScene(t, netasync.ListenOptions{})
	for query, name := range map[string]string{
		"sessions?sort=color": "sort", "sessions?state=well": "state", "sessions?offset=-1": "offset",
		"sessions?limit=0": "limit", "sessions?limit=1001": "limit", "sessions?limit=x": "limit",
		"?sort=color": "sort", "sessions/1?source=1": "source", "sessions?format=xml": "format",
	} {
		w := get(t, s.page, "/"+query)
		require.Equal(t, http.StatusBadRequest, w.Code, query)
		require.Contains(t, text(t, w), name)
	}
	for _, path := range []string{"/sessions/1", "/sessions/x", "/sessions/18446744073709551616"} {
		require.Equal(t, http.StatusNotFound, get(t, s.page, path).Code, path)
	}
}

// The page only reads.
func TestMethods(t *testing.T) {
	s := newScene(t, netasync.ListenOptions{})
	w := httptest.NewRecorder()
	s.page.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", nil))
	require.Equal(t, http.StatusMethodNotAllowed, w.Code)
	require.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
	w = httptest.NewRecorder()
	s.page.ServeHTTP(w, httptest.NewRequest(http.MethodHead, "/", nil))
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	require.Contains(t, w.Header().Get("Content-Security-Policy"), "default-src 'none'")
}

// However it is mounted, each link of each page leads to a page.
func TestPrefixes(t *testing.T) {
	s := newScene(t, netasync.ListenOptions{})
	dialed, _ := s.connect(netasync.ConnectOptions{Name: "a name & more"})
	gone, _ := s.connect(netasync.ConnectOptions{})
	require.NoError(t, gone.Close())
	testkit.Eventually(t, func() bool { return len(s.engine.History().Closed()) == 2 }, "it has closed")
	require.NotNil(t, dialed)

	plain, deep, stripped, proxied := http.NewServeMux(), http.NewServeMux(), http.NewServeMux(), http.NewServeMux()
	plain.Handle("/", s.page)
	deep.Handle("/debug/netasync/", s.page)
	stripped.Handle("/debug/netasync/", http.StripPrefix("/debug/netasync", s.page))
	proxied.Handle("/outside/", http.StripPrefix("/outside", deep))
	for name, mount := range map[string]struct {
		handler http.Handler
		root    string
	}{
		"at the root": {plain, "/"}, "deep": {deep, "/debug/netasync/"},
		"stripped": {stripped, "/debug/netasync/"}, "sessions": {s.page, "/sessions/"},
		"behind a proxy": {proxied, "/outside/debug/netasync/"},
	} {
		t.Run(name, func(t *testing.T) {
			seen := crawl(t, mount.handler, mount.root)
			require.Greater(t, len(seen), 15)
			require.Contains(t, seen, mount.root+"closed")
		})
	}
	// Without the slash the links would lead elsewhere.
	for _, h := range []http.Handler{s.page, http.StripPrefix("/debug/netasync", s.page)} {
		w := get(t, h, "/debug/netasync")
		require.Equal(t, http.StatusMovedPermanently, w.Code)
		to, err := (&url.URL{Path: "/debug/netasync"}).Parse(w.Header().Get("Location"))
		require.NoError(t, err)
		require.Equal(t, "/debug/netasync/", to.Path)
	}
}

// crawl follows all links, and returns where they have led.
func crawl(t *testing.T, h http.Handler, root string) map[string]bool {
	t.Helper()
	seen, open := map[string]bool{root: true}, []string{root}
	links := regexp.MustCompile(`(?:href|src|action)="([^"]*)"`)
	for len(open) > 0 {
		at := open[0]
		open = open[1:]
		w := get(t, h, at)
		if !strings.Contains(at, "healthz") {
			require.Equal(t, http.StatusOK, w.Code, at)
		}
		base, err := url.Parse(at)
		require.NoError(t, err)
		if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
			continue
		}
		for _, link := range links.FindAllStringSubmatch(text(t, w), -1) {
			to, err := base.Parse(strings.ReplaceAll(link[1], "&amp;", "&"))
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(to.Path, root), "%s leads to %s", at, to)
			if to := to.String(); !seen[to] && len(seen) < 60 {
				seen[to] = true
				open = append(open, to)
			}
		}
	}
	return seen
}

// What a user or a peer has named stays text.
func TestEscaped(t *testing.T) {
	const script = `<script>alert("x")</script>`
	h := debugpage.Handler(many(3, script+"\x00\u202e"))
	for _, path := range []string{"/", "/sessions", "/sessions/1", "/sessions?q=" + url.QueryEscape(script)} {
		page := text(t, get(t, h, path))
		require.NotContains(t, page, "<script>alert")
		shown := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(page, "")
		require.NotContains(t, shown, "\u202e", "it would turn what follows")
		require.Contains(t, page, "&lt;script&gt;alert")
	}
}

// A session can be looked at in detail, also after it has closed.
func TestDetails(t *testing.T) {
	s := newScene(t, netasync.ListenOptions{Resume: true})
	dialed, accepted := s.connect(netasync.ConnectOptions{Name: "agent", Resume: true, MaxPayload: 1 << 20})
	require.NoError(t, dialed.Send(testkit.Context(t), []byte("message")))
	path := "/sessions/" + idText(dialed)
	page := text(t, get(t, s.page, path))
	for _, part := range []string{"agent", "1.00 MiB", "Resume", "round trip", "connected", accepted.LocalAddr().String()} {
		require.Contains(t, page, part)
	}
	require.NoError(t, accepted.Close())
	dialed.CloseNow(errors.New("enough of it"))
	testkit.Eventually(t, func() bool {
		return strings.Contains(text(t, get(t, s.page, path)), "enough of it")
	}, "it is among those that have closed")
	require.Contains(t, text(t, get(t, s.page, "/closed")), "enough of it")
	require.Contains(t, text(t, get(t, s.page, "/events")), "enough of it")
	events := decode[struct {
		Events []struct {
			Session uint64
			Kind    string
		}
	}](t, s.page, "/events").Events
	require.Equal(t, "closed", events[0].Kind, "the newest first")
}

// A load balancer, or a person, hears why no connections are taken.
func TestHealthz(t *testing.T) {
	s := newScene(t, netasync.ListenOptions{AcceptBuffer: 1})
	require.Equal(t, http.StatusOK, get(t, s.page, "/healthz").Code)
	_, err := s.engine.Connect(s.listener.Addr().String(), netasync.ConnectOptions{})
	require.NoError(t, err)
	testkit.Eventually(t, func() bool { return s.engine.Health() != nil }, "nobody takes it")
	w := get(t, s.page, "/healthz")
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Contains(t, text(t, w), "AcceptChan is full: collector")
	require.Contains(t, text(t, get(t, s.page, "/")), "AcceptChan is full")
	testkit.Take(t, s.listener.AcceptChan())
	require.Equal(t, http.StatusOK, get(t, s.page, "/healthz").Code)

	require.NoError(t, s.engine.Shutdown(testkit.Context(t)))
	w = get(t, s.page, "/healthz?format=json")
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Contains(t, text(t, w), `"healthy": false`)
	crawl(t, s.page, "/") // it can be looked at when all is over
}

// Several sources are shown together, and sessions with the same ID are told apart.
func TestSources(t *testing.T) {
	a, b := newScene(t, netasync.ListenOptions{}), newScene(t, netasync.ListenOptions{})
	one, _ := a.connect(netasync.ConnectOptions{Name: "one"})
	two, _ := b.connect(netasync.ConnectOptions{Name: "two"})
	require.Equal(t, one.ID(), two.ID())
	both := debugpage.Handler(a.engine, b.engine)
	overview := decode[debugpage.Overview](t, both, "/")
	require.Equal(t, 4, overview.Sessions)
	require.Equal(t, []string{"collector", "one", "two"}, []string{overview.Names[0].Name, overview.Names[1].Name, overview.Names[2].Name})
	require.Equal(t, 2, overview.Names[0].Sessions, "the sum")
	require.Contains(t, text(t, get(t, both, "/sessions/"+idText(one))), ", one")
	require.Contains(t, text(t, get(t, both, "/sessions/"+idText(two)+"?source=1")), ", two")
	crawl(t, both, "/")
	crawl(t, debugpage.Handler(), "/")
	require.Panics(t, func() { debugpage.Handler(nil) })
}

// Nothing is served that the user has not mounted.
func TestNothingIsRegistered(t *testing.T) {
	for _, path := range []string{"/debug/netasync/", "/debug/netasync", "/"} {
		_, pattern := http.DefaultServeMux.Handler(httptest.NewRequest(http.MethodGet, path, nil))
		require.Empty(t, pattern)
	}
}
