// Package gateway serves the page of a chat, and has a session to the chat server for each tab of a browser.
package gateway

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/examples/chat/internal/talk"
)

//go:embed page
var files embed.FS

// Bounds of what browsers take.
const (
	MaxTabs    = 100
	MaxRequest = 16 << 10         // bytes of a POST: all it takes, in UTF-8 and with each byte as %xx
	Away       = 15 * time.Second // a tab without a stream lives on for so long
	grace      = 5 * time.Second  // for the end: what is queued is flushed within it or not at all
)

// Options are what a gateway is for.
type Options struct {
	Engine *netasync.Engine
	Addr   string // of the chat server, if there is but one
	// Servers are there instead of Addr if a session can go on at each of them, as those of a cluster.
	Servers []Server
	Dial    DialFunc // how tabs connect; nil means a net.Dialer
}

// Gateway serves the page: it has one session to the chat server for each tab.
//
// A tab begins by POST /join, which returns a secret. With that, GET /events is its stream of updates,
// and what the page has to say goes by POST. When a stream breaks, the EventSource of the browser comes
// again by itself, with the number of the last update that it had. Within Away it finds its tab as it
// was, and gets all updates behind that. Later there is no such tab any more: it gets status 204, which
// an EventSource takes as the end, and the page joins anew. A page that is closed says so, by POST
// /leave; one that vanishes is found out by the end of its stream.
type Gateway struct {
	http.Handler
	Options
	ctx  context.Context // of all streams
	stop context.CancelFunc

	mu      sync.Mutex      // guards all below
	tabs    map[string]*tab // by secret; nil after Close
	made    int             // tabs
	parting sync.WaitGroup  // tabs that are not in the map any more
}

// New returns a gateway, which serves until Close.
func New(o Options) *Gateway {
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	g := &Gateway{Options: o, tabs: make(map[string]*tab)}
	g.ctx, g.stop = context.WithCancel(context.Background())
	page, err := fs.Sub(files, "page")
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(page))
	mux.HandleFunc("GET /servers", g.servers)
	mux.HandleFunc("POST /join", g.join)
	mux.HandleFunc("GET /events", g.withTab(g.events))
	mux.HandleFunc("POST /say", g.withTab(g.say))
	mux.HandleFunc("POST /cut", g.withTab(func(_ http.ResponseWriter, _ *http.Request, t *tab) { t.cable.Cut(true) }))
	mux.HandleFunc("POST /mend", g.withTab(func(_ http.ResponseWriter, _ *http.Request, t *tab) {
		t.cable.Cut(false)
		t.session.RetryNow()
	}))
	mux.HandleFunc("POST /move", g.withTab(g.move))
	mux.HandleFunc("POST /switch", g.withTab(g.turn))
	mux.HandleFunc("POST /leave", g.withTab(func(_ http.ResponseWriter, r *http.Request, _ *tab) { g.drop(r.Form.Get("tab")) }))
	g.Handler = guard(http.NewCrossOriginProtection().Handler(mux)) // no other site's page can press our buttons
	return g
}

// Serve serves the page until ctx ends, and then lets the tabs go, which say goodbye to the chat server.
func (g *Gateway) Serve(ctx context.Context, ln net.Listener) error {
	server := &http.Server{Handler: g, ReadHeaderTimeout: grace, IdleTimeout: time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ln) }()
	var err error
	select {
	case err = <-ended: // it cannot accept any more
	case <-ctx.Done():
	}
	g.Close()
	bounded, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	return errors.Join(err, server.Shutdown(bounded))
}

// guard bounds what a request may bring, and says what the page may do: use what comes from here.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, MaxRequest)
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "+
			"form-action 'none'; frame-ancestors 'none'; base-uri 'none'; img-src data:")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// withTab finds the tab of a request.
func (g *Gateway) withTab(serve func(http.ResponseWriter, *http.Request, *tab)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		g.mu.Lock()
		t := g.tabs[r.Form.Get("tab")]
		g.mu.Unlock()
		switch {
		case t != nil:
			serve(w, r, t)
		case r.Method == http.MethodGet:
			w.WriteHeader(http.StatusNoContent) // an EventSource does not come again
		default:
			http.Error(w, "there is no such tab", http.StatusNotFound)
		}
	}
}

// join makes a tab. Its answer is the tab's secret, and its ID.
func (g *Gateway) join(w http.ResponseWriter, r *http.Request) {
	room, err := talk.Clean("the room's name", r.PostFormValue("room"), talk.MaxName)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	name, err := talk.Clean("the name", r.PostFormValue("name"), talk.MaxName)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	secret, id := rand.Text(), rand.Text()[:8]
	if err := g.add(secret, id, talk.Word{Room: room, Name: name}); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"tab": secret, "id": id})
}

// add makes a tab, which ends unless its stream begins soon.
func (g *Gateway) add(secret, id string, join talk.Word) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.tabs == nil || len(g.tabs) >= MaxTabs {
		return errors.New("no more tabs")
	}
	cable := &Cable{Servers: g.Servers, Dialer: g.Dial}
	addr := g.Addr
	if n := len(g.Servers); n > 0 {
		cable.at, addr = g.made%n, "anywhere:1" // the cable knows better
	}
	t, err := newTab(g.Engine, addr, id, cable, join)
	if err != nil {
		return err
	}
	t.expiry = time.AfterFunc(Away, func() { g.drop(secret) })
	g.tabs[secret] = t
	g.made++
	return nil
}

// Tabs returns how many tabs there are.
func (g *Gateway) Tabs() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.tabs)
}

// drop ends a tab, if it has not ended yet.
func (g *Gateway) drop(secret string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.tabs[secret]
	if t == nil {
		return
	}
	delete(g.tabs, secret)
	t.expiry.Stop()
	g.parting.Go(t.part)
}

// Close ends all tabs, and waits until they have said goodbye.
func (g *Gateway) Close() {
	g.stop()
	g.mu.Lock()
	for _, t := range g.tabs {
		t.expiry.Stop()
		g.parting.Go(t.part)
	}
	g.tabs = nil
	g.mu.Unlock()
	g.parting.Wait()
}

// say is told what a page has to say. The page asks again after status 503.
func (g *Gateway) say(w http.ResponseWriter, r *http.Request, t *tab) {
	n, err := strconv.ParseUint(r.PostForm.Get("n"), 10, 64)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	text, err := talk.Clean("the text", r.PostForm.Get("text"), talk.MaxText)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := t.say(n, text); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	}
}
