package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
)

// ErrCut is why a tab has no connection after its button was pressed.
var ErrCut = errors.New("somebody has cut the connection")

// DialFunc is ConnectOptions.Dial.
type DialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// Cable makes the connections of a session. It can be cut: its connection is reset then, and there is no
// other until it is mended. With servers it leads to one of them, and can be moved to another. All methods
// may be called at any time.
type Cable struct {
	Servers []Server // none: it leads to where the session wants to be connected
	Dialer  DialFunc

	mu    sync.Mutex // guards all below
	cut   bool
	at    int   // the server that is dialed
	moves int   // how often that was changed
	conn  *wire // the latest one, or nil
}

// Dial is the Dial of the session.
func (c *Cable) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	for {
		at, moves := c.where()
		conn, at, err := c.dialFrom(ctx, at, network, address)
		if err != nil {
			return nil, err
		}
		if w, err := c.use(conn, at, moves); w != nil || err != nil {
			return w, err
		}
		_ = conn.Close() // the cable was moved meanwhile
	}
}

// dialFrom dials a server, or where that cannot be reached the next one that can.
func (c *Cable) dialFrom(ctx context.Context, at int, network, address string) (net.Conn, int, error) {
	if c.isCut() {
		return nil, at, ErrCut
	}
	if len(c.Servers) == 0 {
		conn, err := c.Dialer(ctx, network, address)
		return conn, at, err
	}
	var failed error
	for k := range c.Servers {
		i := (at + k) % len(c.Servers)
		conn, err := c.Servers[i].dial(ctx, c.Dialer)
		if err == nil {
			return conn, i, nil
		}
		failed = errors.Join(failed, err)
	}
	return nil, at, failed
}

// use makes a connection that of the cable. It returns nil if the cable was moved since it was dialed.
func (c *Cable) use(conn net.Conn, at, moves int) (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		_ = conn.Close()
		return nil, ErrCut
	}
	if c.moves != moves {
		return nil, nil
	}
	c.at, c.conn = at, &wire{Conn: conn, cable: c}
	return c.conn, nil
}

// Cut cuts the cable, or mends it.
func (c *Cable) Cut(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut = cut; cut {
		c.end(ErrCut)
	}
}

// Move has the next connection go to the server with a name, and resets the one that there is.
func (c *Cable) Move(to string) error {
	for i, s := range c.Servers {
		switch {
		case s.Name != to:
			continue
		case s.Addr() == "":
			return fmt.Errorf("%s is down", to)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.at = i
		c.moves++
		c.end(errors.New("it moves to " + to))
		return nil
	}
	return fmt.Errorf("there is no %q", to)
}

// Server returns the name of the server that the connection goes to, or "".
func (c *Cable) Server() string {
	at, _ := c.where()
	if len(c.Servers) == 0 {
		return ""
	}
	return c.Servers[at].Name
}

// end resets the connection, by which all that is under way is lost. The caller holds mu.
func (c *Cable) end(why error) {
	if c.conn == nil {
		return
	}
	c.conn.why = why
	if tcp, ok := c.conn.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.conn.Conn.Close()
	c.conn = nil
}

func (c *Cable) where() (at, moves int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at, c.moves
}

func (c *Cable) isCut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cut
}

// wire is a connection of a cable. It is no *net.TCPConn: an event loop would have taken the socket over,
// and there would be nothing left to cut. When the cable has ended it, its errors say why.
type wire struct {
	net.Conn
	cable *Cable
	why   error // guarded by the cable's mu
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	return n, w.explain(err)
}

func (w *wire) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	return n, w.explain(err)
}

func (w *wire) explain(err error) error {
	w.cable.mu.Lock()
	defer w.cable.mu.Unlock()
	if err != nil && w.why != nil {
		return w.why
	}
	return err
}

// CloseWrite ends the stream after the last word, so that the chat server has read it before the
// connection is closed.
func (w *wire) CloseWrite() error {
	if c, ok := w.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}
