package engine

import (
	"bytes"
	"net"

	"github.com/panjf2000/gnet/v2"
)

// takeConn returns a duplicate of a connection on a loop, from whose first byte on it can be read:
// also what the loop has read is in it.
func takeConn(c gnet.Conn) (net.Conn, error) {
	conn, err := dupConn(c.Fd())
	if err != nil {
		return nil, failure{err}
	}
	if conn.RemoteAddr() == nil {
		_ = conn.Close()
		return nil, errReset
	}
	early, _ := c.Next(-1)
	return withPrefix(conn, bytes.Clone(early)), nil
}

// prefixed is a connection of which a part was read before.
type prefixed struct {
	net.Conn
	prefix []byte
}

// withPrefix returns conn with what was read before. It keeps prefix.
func withPrefix(conn net.Conn, prefix []byte) net.Conn {
	if len(prefix) == 0 {
		return conn
	}
	return &prefixed{conn, prefix}
}

// NetConn returns the connection below, for its descriptor.
func (p *prefixed) NetConn() net.Conn { return p.Conn }

// Read reads what was read before, then from the connection below.
func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.prefix) == 0 {
		return p.Conn.Read(b)
	}
	n := copy(b, p.prefix)
	p.prefix = p.prefix[n:]
	return n, nil
}
