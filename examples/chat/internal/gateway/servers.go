package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
)

// Server is one of several chat servers, at each of which a session can go on.
type Server struct {
	Name string
	// Addr returns its address, host:port, or "" while it is down.
	Addr func() string
	// Switch kills it, or starts it again.
	Switch func(on bool) error
}

func (s Server) dial(ctx context.Context, dialer DialFunc) (net.Conn, error) {
	addr := s.Addr()
	if addr == "" {
		return nil, fmt.Errorf("%s is down", s.Name)
	}
	return dialer(ctx, "tcp", addr)
}

// servers tells the page which servers there are. Where there is but one it has none to choose from.
func (g *Gateway) servers(w http.ResponseWriter, _ *http.Request) {
	type server struct {
		Name string `json:"name"`
		Up   bool   `json:"up"`
	}
	list := make([]server, 0, len(g.Servers))
	for _, s := range g.Servers {
		list = append(list, server{s.Name, s.Addr() != ""})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(list)
}

// move moves a tab's connection to another server.
func (g *Gateway) move(w http.ResponseWriter, r *http.Request, t *tab) {
	if err := t.cable.Move(r.PostForm.Get("to")); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	t.session.RetryNow()
}

// turn kills a server, or starts it again. The browser may go on meanwhile.
func (g *Gateway) turn(w http.ResponseWriter, r *http.Request, _ *tab) {
	for _, s := range g.Servers {
		if s.Name != r.PostForm.Get("server") {
			continue
		}
		if err := s.Switch(r.PostForm.Get("on") == "true"); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
		}
		return
	}
	http.Error(w, "there is no such server", http.StatusNotFound)
}
