package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/examples/chat/internal/gateway"
	"github.com/netasync/netasync/netasynctest"
)

// site is a gateway at http://web in a network in memory, and whoever uses it from the host browser.
type site struct {
	t       *testing.T
	gateway *gateway.Gateway
	server  *http.Server
	client  *http.Client
}

func newSite(t *testing.T, n *netasynctest.Network) *site {
	t.Helper()
	ln, err := n.Listen("web", ":80")
	require.NoError(t, err)
	g := gateway.New(gateway.Options{
		Engine: n.Engine("gateway", netasync.EngineOptions{}), Addr: "server:1", Dial: n.Dialer("gateway"),
	})
	s := &site{t, g, &http.Server{Handler: g}, nil}
	transport := &http.Transport{DialContext: n.Dialer("browser")}
	s.client = &http.Client{Transport: transport}
	served := make(chan error, 1)
	go func() { served <- s.server.Serve(ln) }()
	t.Cleanup(func() {
		g.Close()
		require.NoError(t, s.server.Shutdown(context.Background()))
		require.ErrorIs(t, <-served, http.ErrServerClosed)
		transport.CloseIdleConnections()
	})
	return s
}

// post returns the status and the body of an answer.
func (s *site) post(path string, values url.Values) (int, string) {
	s.t.Helper()
	answer, err := s.client.PostForm("http://web/"+path, values)
	require.NoError(s.t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(s.t, err)
	return answer.StatusCode, string(body)
}

// visitor is a page, as the JavaScript of the real one makes it.
type visitor struct {
	*site
	tab, id string
	said    int
}

// join makes a tab, without a stream.
func (s *site) join(room, name string) *visitor {
	s.t.Helper()
	status, body := s.post("join", url.Values{"room": {room}, "name": {name}})
	require.Equal(s.t, http.StatusOK, status, body)
	var made struct{ Tab, ID string }
	require.NoError(s.t, json.Unmarshal([]byte(body), &made))
	settle()
	return &visitor{site: s, tab: made.Tab, id: made.ID}
}

// do presses a button.
func (v *visitor) do(path string) {
	v.t.Helper()
	status, body := v.post(path, url.Values{"tab": {v.tab}})
	require.Equal(v.t, http.StatusOK, status, body)
	settle()
}

func (v *visitor) say(text string) {
	v.t.Helper()
	v.said++
	require.Equal(v.t, http.StatusOK, v.sayAs(v.said, text))
}

// sayAs says the word with a number, and returns the status.
func (v *visitor) sayAs(n int, text string) int {
	v.t.Helper()
	status, _ := v.post("say", url.Values{"tab": {v.tab}, "n": {fmt.Sprint(n)}, "text": {text}})
	settle()
	return status
}

// eventSource is a stream, as an EventSource has it.
type eventSource struct {
	t      *testing.T
	answer *http.Response
	close  context.CancelFunc
	lines  chan string // what came, with a text for each update; read closes it
	beats  int         // comments; read writes it until it closes lines
	lastID string      // of the last update that seen returned
}

// open begins a stream behind the update with an ID, or from the beginning.
func (v *visitor) open(lastID string) *eventSource {
	v.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://web/events?tab="+v.tab, nil)
	require.NoError(v.t, err)
	if lastID != "" {
		request.Header.Set("Last-Event-ID", lastID)
	}
	answer, err := v.client.Do(request)
	require.NoError(v.t, err)
	e := &eventSource{t: v.t, answer: answer, close: cancel, lines: make(chan string, 1<<12)}
	go e.read()
	v.t.Cleanup(func() {
		cancel()
		for range e.lines { // up to its end
		}
	})
	settle()
	return e
}

func (e *eventSource) read() {
	defer close(e.lines)
	defer e.answer.Body.Close()
	in := bufio.NewScanner(e.answer.Body)
	for in.Scan() {
		switch line := in.Text(); {
		case line == ":":
			e.beats++
		case line != "":
			e.lines <- line
		}
	}
}

// seen returns the updates that have come, in short, and whether the stream goes on.
func (e *eventSource) seen() (all []string, open bool) {
	e.t.Helper()
	settle()
	for {
		select {
		case line, open := <-e.lines:
			if !open {
				return all, false
			}
			field, value, _ := strings.Cut(line, ": ")
			switch field {
			case "id":
				e.lastID = value
			case "data":
				all = append(all, e.short(value))
			default:
				require.Equal(e.t, "retry: 1000", line)
			}
		default:
			return all, true
		}
	}
}

func (e *eventSource) short(data string) string {
	e.t.Helper()
	var u gateway.Update
	require.NoError(e.t, json.Unmarshal([]byte(data), &u))
	switch {
	case u.News != nil:
		return short(e.t, u.News)
	case u.State == "connected":
		return fmt.Sprintf("connected %d %t", u.Epoch, u.Resumed)
	case u.State == "missed":
		return fmt.Sprintf("missed %d", u.Missed)
	}
	return strings.TrimSpace(u.State + " " + u.Cause)
}

// sees wants these updates, and no others.
func (e *eventSource) sees(want ...string) {
	e.t.Helper()
	got, open := e.seen()
	require.Equal(e.t, want, got)
	require.True(e.t, open, "the stream has ended")
}

// ends wants these updates, and then the end of the stream.
func (e *eventSource) ends(want ...string) {
	e.t.Helper()
	got, open := e.seen()
	require.Equal(e.t, want, got)
	require.False(e.t, open, "the stream goes on")
}
