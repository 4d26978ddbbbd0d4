package cluster

import (
	"encoding/binary"
	"errors"
	"net"

	"github.com/netasync/netasync"
)

// prefixBytes is how many bytes a token of a node's begins with: the node's ID, and the number of the
// listener that made it.
const prefixBytes = 8 + 2

// advertised is the number of the listener that Options.Advertise is the address of.
const advertised = 0

// Listen is Engine.Listen, for sessions that peers come back to at any node of the cluster: what a token
// says of where its session lives is known everywhere, and a connection that comes to another node is
// passed on to that one, or its peer told to go there, see Options.Advertise. Who resumes has to be known
// by the same Identity at every node: so all need the same Identify, and TLS or none. Where a session's node is dead, or cannot be reached, a new session begins, and the
// peer is told what may be lost. It needs Resume, and sets TokenPrefix, Route and Redirect.
func (n *Node) Listen(addr string, o netasync.ListenOptions) (*netasync.Listener, error) {
	if !o.Resume {
		return nil, errors.New("cluster: Listen needs Resume; without, use that of the engine")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, ErrShutdown
	}
	number := len(n.doors)
	if number >= 1<<16 {
		return nil, errors.New("cluster: too many listeners")
	}
	o.TokenPrefix = binary.BigEndian.AppendUint16(n.id.bytes(), uint16(number))
	o.Route, o.Redirect = n.route, n.redirect
	l, err := n.engine.Listen(addr, o)
	if err == nil {
		n.doors = append(n.doors, l)
	}
	return l, err
}

// owner returns the other node that a session lives at, and the number of the listener that made its
// token. It reports false if there is none that is known to live.
func (n *Node) owner(token []byte) (g digest, door uint16, ok bool) {
	if len(token) < prefixBytes {
		return g, 0, false
	}
	id := nodeID(binary.BigEndian.Uint64(token))
	g, ok = n.directory.node(id)
	return g, binary.BigEndian.Uint16(token[8:]), ok && id != n.id
}

// redirect returns where a peer that goes where it is told reaches the node that its session lives at;
// empty: it is passed on.
func (n *Node) redirect(token []byte, _ netasync.ConnInfo) string {
	g, door, ok := n.owner(token)
	if !ok || door != advertised || !goodAdvertise(g.advertise) {
		return ""
	}
	n.redirected.Add(1)
	return g.advertise
}

// route passes a connection on to the node that its session lives at.
func (n *Node) route(token []byte, conn net.Conn, hello []byte, info netasync.ConnInfo) bool {
	g, door, ok := n.owner(token)
	if !ok || g.relay == "" || !n.begin() {
		return false
	}
	defer n.work.Done()
	return n.passOn(g, conn, preface{door: door, hello: hello, ConnInfo: info})
}
