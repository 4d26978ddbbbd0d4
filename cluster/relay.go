package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"time"

	"github.com/netasync/netasync"
)

// A connection that came to another node than its session's is passed on: that node dials the relay
// port of the session's, says in a preface what it knows of the peer, waits for a byte that says that it
// was taken, and then copies bytes both ways. All that the two ends of a session say to each other,
// heartbeats and acknowledgements too, passes through as it is.

const (
	// dialPatience is of who passes on: then a new session begins there. A node that hangs is known to be dead
	// before, and a dialer waits for longer (DialTimeout, 5 s).
	dialPatience = 4 * time.Second
	readPatience = 5 * time.Second // of who takes in
	// maxStrangers is how many connections to the relay port there are of whom it is not known whether they
	// are of a node.
	maxStrangers = 256
)

// passOn passes a connection on to a node, and reports whether it is no longer the caller's.
func (n *Node) passOn(to digest, conn net.Conn, p preface) bool {
	ended := n.directory.ended(to.node)
	if ended == nil {
		return false
	}
	ctx, cancel := context.WithCancel(n.ctx)
	defer cancel()
	defer context.AfterFunc(ended, cancel)()
	if !n.relays.take() {
		n.opts.Logger.Warn("cluster: a connection is not passed on: MaxRelayed is reached", "node", to.name)
		return false
	}
	out, err := n.offer(ctx, to.relay, p)
	if err != nil {
		n.relays.free()
		n.opts.Logger.Info("cluster: the node of a session cannot be reached", "node", to.name, "relay", to.relay, "error", err)
		return false
	}
	n.relays.add(n, &relay{to.node, conn, out})
	return true
}

// offer connects to a relay port, and returns when the node there has taken the session's connection.
func (n *Node) offer(ctx context.Context, addr string, p preface) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialPatience)
	defer cancel()
	out, err := n.dialRelay(ctx, addr)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = out.Close() })
	var answer [1]byte
	if _, err = out.Write(p.append(nil)); err == nil {
		_, err = io.ReadFull(out, answer[:])
	}
	if err == nil && answer[0] != understood {
		err = errMalformed
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = out.Close()
		return nil, err
	}
	return out, nil
}

func (n *Node) dialRelay(ctx context.Context, addr string) (net.Conn, error) {
	if n.tls == nil {
		return new(net.Dialer).DialContext(ctx, "tcp", addr)
	}
	return (&tls.Dialer{Config: n.tls}).DialContext(ctx, "tcp", addr)
}

// takeIn serves the relay port.
func (n *Node) takeIn() {
	for {
		conn, err := n.relayPort.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			select {
			case <-time.After(10 * time.Millisecond): // as without descriptors
				continue
			case <-n.ctx.Done():
				return
			}
		}
		n.strangers.add(conn)
		n.work.Go(func() {
			defer n.strangers.remove(conn)
			if err := n.takeInOne(conn); err != nil {
				_ = conn.Close()
				n.opts.Logger.Debug("cluster: a connection to the relay port", "from", conn.RemoteAddr(), "error", err)
			}
		})
	}
}

var errNoDoor = errors.New("cluster: there is no such listener")

// takeInOne gives a connection that another node passes on to the listener that its session came by. An
// error says that it is still the caller's.
func (n *Node) takeInOne(conn net.Conn) error {
	stop := context.AfterFunc(n.ctx, func() { _ = conn.Close() })
	defer stop()
	_ = conn.SetDeadline(time.Now().Add(readPatience))
	inner := conn
	if n.tls != nil {
		secured := tls.Server(conn, n.tls)
		if err := secured.HandshakeContext(n.ctx); err != nil {
			return err
		}
		n.strangers.remove(conn) // it knows the secret
		inner = secured
	}
	p, err := readPreface(inner)
	if err != nil {
		return err
	}
	n.strangers.remove(conn)
	door := n.door(p.door)
	if p.link != nil {
		p.ConnInfo = netasync.ConnInfo{Identity: p.link.identity(), Secure: n.tls != nil}
		if door, err = n.links.admit(*p.link); err != nil {
			return err
		}
	}
	if door == nil {
		return errNoDoor
	}
	_ = conn.SetDeadline(time.Time{}) // what comes now has times of its own
	in := &passed{Conn: inner, hello: p.hello, begun: make(chan struct{})}
	if err = door.ServeConn(in, p.ConnInfo); err != nil {
		return err // the listener has ended: the other node is to begin a new session
	}
	_, err = inner.Write([]byte{understood})
	close(in.begun)
	return err
}

// door returns a listener by its number.
func (n *Node) door(number uint16) *netasync.Listener {
	n.mu.Lock()
	defer n.mu.Unlock()
	if int(number) < len(n.doors) {
		return n.doors[number]
	}
	return nil
}

// passed is a connection that was passed on: the peer's first bytes come from the preface. It hides that
// the two nodes speak TLS, which is not the peer's.
type passed struct {
	net.Conn
	hello []byte
	begun chan struct{} // closed when the other node was told that the connection is taken
}

func (p *passed) Read(b []byte) (int, error) {
	<-p.begun
	if len(p.hello) > 0 {
		n := copy(b, p.hello)
		p.hello = p.hello[n:]
		return n, nil
	}
	return p.Conn.Read(b)
}

// CloseWrite ends what this end sends.
func (p *passed) CloseWrite() error { return closeWrite(p.Conn) }

func closeWrite(conn net.Conn) error {
	if c, ok := conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return conn.Close()
}
