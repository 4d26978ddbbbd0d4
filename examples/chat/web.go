package main

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
)

//go:embed page
var files embed.FS

const (
	maxTabs    = 100
	maxRequest = 16 << 10         // bytes of a POST: all it takes, in UTF-8 and with each byte as %xx
	away       = 15 * time.Second // a tab without a stream lives on for so long
)

// gateway serves the page: it has one session to the chat server for each tab.
//
// A tab begins by POST /join, which returns a secret. With that, GET /events is its stream of updates,
// and what the page has to say goes by POST. When a stream breaks, the EventSource of the browser comes
// again by itself, with the number of the last update that it had. Within away it finds its tab as it
// was, and gets all updates behind that. Later there is no such tab any more: it gets status 204, which
// an EventSource takes as the end, and the page joins anew. A page that is closed says so, by POST
// /leave; one that vanishes is found out by the end of its stream.
type gateway struct {
	http.Handler
	engine *netasync.Engine
	addr   string   // of the chat server
	dialer dialFunc // by which tabs connect
	away   time.Duration
	ctx    context.Context // of all streams
	stop   context.CancelFunc

	mu      sync.Mutex      // guards all below
	tabs    map[string]*tab // by secret; nil after close
	parting sync.WaitGroup  // tabs that are not in the map any more
}

func newGateway(e *netasync.Engine, addr string) *gateway {
	g := &gateway{engine: e, addr: addr, dialer: new(net.Dialer).DialContext, away: away, tabs: make(map[string]*tab)}
	g.ctx, g.stop = context.WithCancel(context.Background())
	page, err := fs.Sub(files, "page")
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(page))
	mux.HandleFunc("POST /join", g.join)
	mux.HandleFunc("GET /events", g.withTab(g.events))
	mux.HandleFunc("POST /say", g.withTab(g.say))
	mux.HandleFunc("POST /cut", g.withTab(func(_ http.ResponseWriter, _ *http.Request, t *tab) { t.cable.set(true) }))
	mux.HandleFunc("POST /mend", g.withTab(func(_ http.ResponseWriter, _ *http.Request, t *tab) {
		t.cable.set(false)
		t.session.RetryNow()
	}))
	mux.HandleFunc("POST /leave", g.withTab(func(_ http.ResponseWriter, r *http.Request, _ *tab) { g.drop(r.Form.Get("tab")) }))
	g.Handler = guard(http.NewCrossOriginProtection().Handler(mux)) // no other site's page can press our buttons
	return g
}

// guard bounds what a request may bring, and says what the page may do: use what comes from here.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
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
func (g *gateway) withTab(serve func(http.ResponseWriter, *http.Request, *tab)) http.HandlerFunc {
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
func (g *gateway) join(w http.ResponseWriter, r *http.Request) {
	room, err := clean("the room's name", r.PostFormValue("room"), maxName)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	name, err := clean("the name", r.PostFormValue("name"), maxName)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	secret, id := rand.Text(), rand.Text()[:8]
	if err := g.add(secret, id, word{Room: room, Name: name}); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"tab": secret, "id": id})
}

// add makes a tab, which ends unless its stream begins soon.
func (g *gateway) add(secret, id string, join word) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.tabs == nil || len(g.tabs) >= maxTabs {
		return errors.New("no more tabs")
	}
	t, err := newTab(g.engine, g.addr, id, g.dialer, join)
	if err != nil {
		return err
	}
	t.expiry = time.AfterFunc(g.away, func() { g.drop(secret) })
	g.tabs[secret] = t
	return nil
}

// drop ends a tab, if it has not ended yet.
func (g *gateway) drop(secret string) {
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

// close ends all tabs, and waits until they have said goodbye.
func (g *gateway) close() {
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
func (g *gateway) say(w http.ResponseWriter, r *http.Request, t *tab) {
	n, err := strconv.ParseUint(r.PostForm.Get("n"), 10, 64)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	text, err := clean("the text", r.PostForm.Get("text"), maxText)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := t.say(n, text); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	}
}
