package engine

import (
	"crypto/tls"
	"io"
	"net"
)

// watched is the connection below one of TLS. It notes when that has met the end of the stream,
// which crypto/tls reports in the same way as the peer's goodbye: anybody on the way can end a
// connection of TCP. After a goodbye TLS reads no further, and ended stays false.
type watched struct {
	net.Conn
	ended bool // TLS has read the end. Its reader's own
}

// NetConn returns the connection below, for its descriptor.
func (w *watched) NetConn() net.Conn { return w.Conn }

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if err == io.EOF { //nolint:errorlint // that is how a reader ends
		w.ended = true
	}
	return n, err
}

// endOf returns err, with which a read of conn has failed, or io.ErrUnexpectedEOF if it is the end of
// a stream of TLS whose peer has not said goodbye. It is for the reader.
func endOf(conn net.Conn, err error) error {
	if t, ok := conn.(*tls.Conn); ok && err == io.EOF { //nolint:errorlint // as above
		if w, ok := t.NetConn().(*watched); ok && w.ended {
			return io.ErrUnexpectedEOF
		}
	}
	return err
}
