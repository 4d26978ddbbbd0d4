// Package debugpage shows what an engine, or a handler, is doing: in a browser, and as JSON.
//
//	mux.Handle("/debug/netasync/", debugpage.Handler(engine))
//
// Nothing is registered by importing it. The page only reads. Who can reach it learns the addresses,
// names and certificates of all peers, so mount it where operators alone can: it has no authentication
// of its own.
package debugpage

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/netasync/netasync/engine"
	"github.com/netasync/netasync/session"
)

// Source is what can be looked at: a *netasync.Engine or a *netasync.Handler.
type Source interface {
	Sessions() iter.Seq[*session.Session]      // that have not closed
	Totals() iter.Seq2[string, session.Totals] // by name
	Stats() engine.Stats                       // of all
	History() *session.History                 // what happened lately
	Health() error                             // why no connections are taken
}

var (
	_ Source = (*engine.Engine)(nil)
	_ Source = (*engine.Handler)(nil)
)

// Handler returns a handler that shows the sources, together. It is to be mounted at a path that ends
// with a slash, be it behind a prefix that a proxy takes away: all its links are relative.
//
//	…/               totals by name, and the 100 sessions most in trouble
//	…/sessions       sessions; sort, state, name, q, offset and limit choose which
//	…/sessions/{id}  one of them, also for a while after it has closed; source says whose, the first is 0
//	…/events         the latest lifecycle events
//	…/closed         the sessions that closed last
//	…/healthz        200 while all sources take connections, else 503, with the reasons
//
// Each is HTML, or JSON where the request says format=json or accepts application/json and no HTML. A
// bad value of a parameter is a 400 that names it. Sessions in trouble are those with the most bytes
// queued to be sent, then those with the most bytes that nobody reads, then those that have no
// connection, then those that have been silent for longest. It works while sources shut down, and
// afterwards. It panics if a source is nil.
func Handler(sources ...Source) http.Handler {
	for i, s := range sources {
		if v := reflect.ValueOf(s); s == nil || v.Kind() == reflect.Pointer && v.IsNil() {
			panic(fmt.Sprintf("debugpage: source %d is nil", i))
		}
	}
	return &handler{sources}
}

type handler struct{ sources []Source }

// policy lets nothing be loaded but the page's own style and script, should anything that a peer
// controls ever be taken for HTML.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// ServeHTTP finds out what is asked for by the end of the path, as the beginning is the user's.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "this page only reads", http.StatusMethodNotAllowed)
		return
	}
	if f := r.URL.Query().Get("format"); f != "" && f != "json" && f != "html" {
		http.Error(w, fmt.Sprintf("format is %q, want json or html", f), http.StatusBadRequest)
		return
	}
	before, last := cutLast(r.URL.Path)
	_, parent := cutLast(before)
	if id, err := strconv.ParseUint(last, 10, 64); err == nil && parent == "sessions" {
		h.session(w, r, id)
		return
	}
	switch last {
	case "":
		if r.URL.Path == "" && !strings.HasSuffix(requested(r), "/") {
			h.other(w, r)
			return
		}
		h.overview(w, r)
	case "sessions":
		h.list(w, r)
	case "events":
		h.answer(w, r, "events", eventsOf(h.sources))
	case "closed":
		h.answer(w, r, "closed", closedOf(h.sources))
	case "healthz":
		h.health(w, r)
	case "page.css", "page.js":
		// Said here, as what the system takes the ends of names for need not be a script.
		header.Set("Content-Type", map[string]string{
			"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8",
		}[last])
		http.ServeFileFS(w, r, files, "page/"+last)
	default:
		h.other(w, r)
	}
}

// cutLast returns the last part of a path, and what is before it, without the slash.
func cutLast(path string) (before, last string) {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)], path[i+1:]
}

// other leads to the page where its slash was forgotten: links are relative to it. A path that another
// handler has shortened to nothing is found in what was requested.
func (h *handler) other(w http.ResponseWriter, r *http.Request) {
	before, last := cutLast(requested(r))
	seenTo := strings.HasSuffix(r.Pattern, "/") && r.URL.Path != "" // by ServeMux
	if last == "" || strings.HasSuffix(before, "/sessions") || seenTo {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Location", "./"+last+"/")
	w.WriteHeader(http.StatusMovedPermanently)
}

// requested returns the path that the client has asked for, as it has escaped it.
func requested(r *http.Request) string {
	u, err := url.ParseRequestURI(r.RequestURI)
	if err != nil {
		return ""
	}
	return u.EscapedPath()
}

// session shows one session.
func (h *handler) session(w http.ResponseWriter, r *http.Request, id uint64) {
	which, err := number(r.URL.Query(), "source", 0, 0, max(0, len(h.sources)-1))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if len(h.sources) > 0 {
		if one, found := detailsOf(h.sources[which], which, id); found {
			h.answer(w, r, "session", one)
			return
		}
	}
	http.Error(w, "there is no such session, or it has closed some time ago", http.StatusNotFound)
}

// overview shows the totals, and who is in trouble.
func (h *handler) overview(w http.ResponseWriter, r *http.Request) {
	sessions, err := listOf(h.sources, r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	h.answer(w, r, "overview", struct {
		Overview
		List list `json:"list"`
	}{Snapshot(h.sources...), sessions})
}

func (h *handler) list(w http.ResponseWriter, r *http.Request) {
	sessions, err := listOf(h.sources, r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	h.answer(w, r, "sessions", sessions)
}

func (h *handler) health(w http.ResponseWriter, r *http.Request) {
	problems, code := problemsOf(h.sources), http.StatusOK
	if len(problems) > 0 {
		code = http.StatusServiceUnavailable
	}
	if wantsJSON(r) {
		writeJSON(w, code, struct {
			Healthy  bool     `json:"healthy"`
			Problems []string `json:"problems"`
		}{len(problems) == 0, problems})
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = fmt.Fprintln(w, cmp.Or(strings.Join(problems, "\n"), "ok"))
}

// answer shows data by one of the templates, or as JSON.
func (h *handler) answer(w http.ResponseWriter, r *http.Request, page string, data any) {
	if wantsJSON(r) {
		writeJSON(w, http.StatusOK, data)
		return
	}
	root := ""
	if page == "session" {
		root = "../"
	}
	var out bytes.Buffer
	err := templates.ExecuteTemplate(&out, page, view{root, page, time.Now(), r.URL.Query(), data})
	if err != nil { // so that half a page is never sent
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(out.Bytes())
}

// wantsJSON reports whether a request is that of a program.
func wantsJSON(r *http.Request) bool {
	if format := r.URL.Query().Get("format"); format != "" {
		return format == "json"
	}
	return accepts(r, "application/json") && !accepts(r, "text/html")
}

// accepts reports whether a request names a type, and does not refuse it.
func accepts(r *http.Request, want string) bool {
	for _, part := range strings.Split(strings.Join(r.Header.Values("Accept"), ","), ",") {
		if kind, params, err := mime.ParseMediaType(part); err == nil && kind == want {
			q, err := strconv.ParseFloat(params["q"], 64)
			return err != nil || q > 0
		}
	}
	return false
}

func writeJSON(w http.ResponseWriter, code int, data any) {
	out, err := json.MarshalIndent(data, "", "\t")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(append(out, '\n'))
}
