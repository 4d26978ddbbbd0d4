package cluster

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/netasync/netasync"
)

// A connection that came to another node than its session's is passed on: that node dials the relay
// port of the session's, says in a preface what it knows of the peer, waits for a byte that says that it
// was understood, and then copies bytes both ways. All that the two ends of a session say to each other,
// heartbeats and acknowledgements too, passes through as it is.

const (
	prefaceMagic = "netasync-relay-1"
	maxPreface   = 16 << 10        // bytes
	dialPatience = time.Second     // of who passes on: then a new session begins there
	readPatience = 5 * time.Second // of who takes in
	understood   = 'k'
)

// preface is what comes before the peer's own bytes.
type preface struct {
	door uint16
	netasync.ConnInfo
	hello []byte
}

func (p *preface) append(b []byte) []byte {
	secure := byte(0)
	if p.Secure {
		secure = 1
	}
	body := append(binary.BigEndian.AppendUint16(nil, p.door), secure)
	body = appendText(appendText(body, p.Remote.Network()), p.Remote.String())
	body = append(appendText(body, p.Identity), p.hello...)
	return append(binary.BigEndian.AppendUint32(append(b, prefaceMagic...), uint32(len(body))), body...)
}

func readPreface(conn io.Reader) (p preface, err error) {
	var head [len(prefaceMagic) + 4]byte
	if _, err = io.ReadFull(conn, head[:]); err != nil {
		return p, err
	}
	size := binary.BigEndian.Uint32(head[len(prefaceMagic):])
	if string(head[:len(prefaceMagic)]) != prefaceMagic || size > maxPreface {
		return p, errMalformed
	}
	body := make([]byte, size)
	if _, err = io.ReadFull(conn, body); err != nil {
		return p, err
	}
	r := reader{p: body}
	p.door = uint16(r.byte())<<8 | uint16(r.byte())
	p.Secure = r.byte() == 1
	p.Remote = addrOf(r.text(maxText), r.text(maxText))
	p.Identity, p.hello = r.text(maxPreface), r.p
	if r.bad {
		return preface{}, errMalformed
	}
	return p, nil
}

// addrOf returns an address that was said in words.
func addrOf(network, text string) net.Addr {
	if network == "tcp" {
		if a, err := netip.ParseAddrPort(text); err == nil {
			return net.TCPAddrFromAddrPort(a)
		}
	}
	if network == "unix" {
		return &net.UnixAddr{Net: network, Name: text}
	}
	return spoken{network, text}
}

// spoken is an address of another kind.
type spoken struct{ network, text string }

func (s spoken) Network() string { return s.network }
func (s spoken) String() string  { return s.text }

// passOn passes a connection on, and reports whether it is no longer the caller's.
func (n *Node) passOn(addr string, conn net.Conn, p preface) bool {
	ctx, cancel := context.WithTimeout(n.ctx, dialPatience)
	defer cancel()
	out, err := n.dialRelay(ctx, addr)
	if err != nil {
		n.opts.Logger.Info("cluster: the node of a session cannot be reached", "relay", addr, "error", err)
		return false
	}
	deadline, _ := ctx.Deadline()
	_ = out.SetDeadline(deadline)
	var answer [1]byte
	if _, err = out.Write(p.append(nil)); err == nil {
		_, err = io.ReadFull(out, answer[:])
	}
	if err != nil || answer[0] != understood {
		_ = out.Close()
		return false
	}
	_ = out.SetDeadline(time.Time{})
	n.relays.add(n, conn, out)
	return true
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
		n.work.Go(func() { n.takeInOne(conn) })
	}
}

// takeInOne gives a connection that another node passes on to the listener that its session came by.
func (n *Node) takeInOne(conn net.Conn) {
	stop := context.AfterFunc(n.ctx, func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(readPatience))
	inner := conn
	if n.tls != nil {
		inner = tls.Server(conn, n.tls)
	}
	p, err := readPreface(inner)
	if err == nil {
		_, err = inner.Write([]byte{understood})
	}
	_ = conn.SetDeadline(time.Time{})
	door := n.door(p.door)
	if !stop() || err != nil || door == nil {
		_ = conn.Close()
		return
	}
	if door.ServeConn(&passed{Conn: inner, hello: p.hello}, p.ConnInfo) != nil {
		_ = inner.Close()
	}
}

// door returns a listener by its number, or another one if that has closed.
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
}

func (p *passed) Read(b []byte) (int, error) {
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

// relays are the connections that a node passes on at the moment.
type relays struct {
	mu    sync.Mutex // guards all below; a leaf
	conns map[net.Conn]struct{}
	count uint64 // of all there were
	ended bool
}

// add begins to copy between two connections, both ways, until both have ended. The caller has counted
// work for itself.
func (r *relays) add(n *Node, a, b net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		_, _ = a.Close(), b.Close()
		return
	}
	if r.conns == nil {
		r.conns = map[net.Conn]struct{}{}
	}
	r.conns[a], r.conns[b] = struct{}{}, struct{}{}
	r.count++
	n.work.Go(func() {
		var back sync.WaitGroup
		back.Go(func() { copyEnd(a, b) })
		copyEnd(b, a)
		back.Wait()
		_, _ = a.Close(), b.Close()
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.conns, a)
		delete(r.conns, b)
	})
}

// copyEnd copies until the end, which it passes on. An error ends both connections.
func copyEnd(to, from net.Conn) {
	if _, err := io.Copy(to, from); err == nil && closeWrite(to) == nil {
		return
	}
	_, _ = to.Close(), from.Close()
}

// end closes all of them.
func (r *relays) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	for conn := range r.conns {
		_ = conn.Close()
	}
}
