package main

import (
	"context"
	"errors"
	"net"
	"sync"
)

// errCut is why a tab has no connection after its button was pressed.
var errCut = errors.New("somebody has cut the connection")

// dialFunc is ConnectOptions.Dial.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// cable makes the connections of a session, and can be cut: its connection is reset then, and there is
// no other until it is mended.
type cable struct {
	dialer dialFunc

	mu   sync.Mutex // guards all below
	cut  bool
	conn net.Conn // the latest one, or nil
}

// dial is the Dial of the session.
func (c *cable) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if c.isCut() {
		return nil, errCut
	}
	conn, err := c.dialer(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut { // meanwhile
		_ = conn.Close()
		return nil, errCut
	}
	c.conn = conn
	return &wire{conn, c}, nil
}

// set cuts the connection, or mends the cable.
func (c *cable) set(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = cut
	if !cut || c.conn == nil {
		return
	}
	if tcp, ok := c.conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a reset, by which all that is under way is lost
	}
	_ = c.conn.Close()
	c.conn = nil
}

func (c *cable) isCut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cut
}

// wire is a connection of a cable. It is no *net.TCPConn: an event loop would have taken the socket over,
// and there would be nothing left to cut. When the cable is cut, its errors say so.
type wire struct {
	net.Conn
	cable *cable
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	return n, w.why(err)
}

func (w *wire) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	return n, w.why(err)
}

func (w *wire) why(err error) error {
	if err != nil && w.cable.isCut() {
		return errCut
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
