package engine

import (
	"errors"
	"net"
	"os"
	"time"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/internal/resume"
)

// What a connection begins with, read so that not a byte too much is taken: what follows belongs to
// the session, and may be read by an event loop.

// helloBegins is how many bytes of a frame tell a Hello from a message.
const helloBegins = len("Hnetasync-resume")

// sight is what the first bytes of a connection say about its peer.
type sight uint8

const (
	unclear sight = iota
	plain         // the peer knows nothing of resumption
	greeting
)

// opening is what is known of a connection from its first bytes.
type opening struct {
	sight  sight
	need   int // unclear: so many bytes more may be read before there is more to know
	body   int // greeting: where the body of the Hello begins,
	length int // and its length, as announced
}

// openingOf looks at the first bytes of a connection. A Hello is the frame behind an empty one.
func openingOf(f codec.Format, p []byte) opening {
	length, size, need := headOf(f, p)
	if need == 0 && size > 0 && length == 0 {
		first := size
		length, size, need = headOf(f, p[first:])
		size += first
		if need == 0 && size > first && length >= helloBegins {
			body := p[size:min(len(p), size+helloBegins)]
			switch {
			case !resume.Begins(body):
				return opening{sight: plain}
			case len(body) < helloBegins:
				return opening{need: helloBegins - len(body)}
			}
			return opening{sight: greeting, body: size, length: length}
		}
	}
	if need > 0 {
		return opening{need: need}
	}
	return opening{sight: plain}
}

// headOf returns the length from the header that p begins with, and the header's size, which is 0 if
// it cannot be one. need is how many bytes of it are missing at least.
func headOf(f codec.Format, p []byte) (length, size, need int) {
	least := f.HeaderLen(0)
	if len(p) < least {
		return 0, 0, least - len(p)
	}
	if length, size = f.Header(p); size == 0 && f.Varint && len(p) < f.HeaderLen(codec.MaxPayloadLimit) &&
		p[len(p)-1] >= 0x80 {
		need = 1
	}
	return length, size, need
}

// scout reads the beginning of a connection, and keeps what it has read.
type scout struct {
	conn     net.Conn
	format   codec.Format
	patience time.Duration // of each read; 0: none but what the connection has
	seen     []byte

	// crowded reports whether others wait for this connection's place, which ends reading with
	// errMaxPending; nil: they never do. It is asked after each glance.
	crowded func() bool
	looked  time.Time // when it was asked, or when the scout was made
}

// glance is how long a peer has for its first words however many others wait. They come with the
// packet that ends the handshake of TCP or TLS, or right behind it.
const glance = 100 * time.Millisecond

// read reads n bytes. On an error seen has those that came.
func (s *scout) read(n int) error {
	var buf [resume.MaxBody]byte
	for n > 0 {
		got, err := s.readSome(buf[:min(n, len(buf))])
		s.seen = append(s.seen, buf[:got]...)
		if n -= got; err != nil && n > 0 {
			return err
		}
	}
	return nil
}

// readSome reads what there is, or waits for the first of it.
func (s *scout) readSome(p []byte) (n int, err error) {
	var end time.Time // of patience; zero: there is none
	if s.patience > 0 {
		end = time.Now().Add(s.patience)
	}
	for {
		due := s.due(end)
		if !due.IsZero() {
			_ = s.conn.SetReadDeadline(due)
		}
		n, err = s.conn.Read(p)
		switch {
		case s.mustHurry():
			return n, errMaxPending
		case n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) || due.Equal(end):
			return n, err
		}
	}
}

// due returns when a read is to end: by then patience is over, or it is time to look.
func (s *scout) due(end time.Time) time.Time {
	if s.crowded == nil {
		return end
	}
	if look := s.looked.Add(glance); end.IsZero() || look.Before(end) {
		return look
	}
	return end
}

// mustHurry reports whether others wait. It looks after each glance.
func (s *scout) mustHurry() bool {
	if s.crowded == nil || time.Since(s.looked) < glance {
		return false
	}
	s.looked = time.Now()
	return s.crowded()
}

// opening reads until it is clear what the connection begins with. An error leaves it unclear.
func (s *scout) opening() (opening, error) {
	for {
		o := openingOf(s.format, s.seen)
		if o.sight != unclear {
			return o, nil
		}
		if err := s.read(o.need); err != nil {
			return o, err
		}
	}
}

// head reads the header of a frame, and returns the length, -1 if it cannot be one.
func (s *scout) head() (length int, err error) {
	from := len(s.seen)
	for {
		length, size, need := headOf(s.format, s.seen[from:])
		switch {
		case need == 0 && size == 0:
			return -1, nil
		case need == 0:
			return length, nil
		}
		if err := s.read(need); err != nil {
			return 0, err
		}
	}
}

// controlFrame returns a control frame: an empty frame says that the next one is for the library.
func controlFrame(f codec.Format, body []byte) []byte {
	return f.AppendFrame(f.AppendHeader(nil, 0), body)
}
