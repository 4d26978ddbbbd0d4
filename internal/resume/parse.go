package resume

import "errors"

// Errors of parsing.
var (
	// ErrMalformed is that of a body that is not what its kind says.
	ErrMalformed = errors.New("netasync: malformed control frame")
	// ErrNotHello is that of a body that is no Hello at all, but may be a message of a peer that
	// knows nothing of resumption.
	ErrNotHello = errors.New("netasync: no hello")
)

// Begins reports whether a body, of which only the beginning may be there, begins as a Hello.
func Begins(body []byte) bool {
	prefix := string(KindHello) + magic
	n := min(len(body), len(prefix))
	return string(body[:n]) == prefix[:n]
}

// ParseHello returns the Hello of a body. Of one of another version only the version is valid. The
// Token aliases body.
func ParseHello(body []byte) (Hello, error) {
	if len(body) <= len(magic) || !Begins(body) {
		return Hello{}, ErrNotHello
	}
	var h Hello
	p := parser{rest: body[1+len(magic):]}
	h.Version = p.byte()
	if h.Version != Version {
		return whole(h, p, body)
	}
	flags := p.byte()
	h.Continue, h.Only = flags&flagContinue != 0, flags&flagOnly != 0
	h.Follows = flags&flagFollows != 0
	h.Number = p.uint64()
	copy(h.Nonce[:], p.bytes(len(h.Nonce)))
	h.Received = p.uint64()
	h.Keep = p.keep()
	h.Token = p.token()
	if h.Number == 0 {
		return Hello{}, ErrMalformed
	}
	return whole(h, p, body)
}

// ParseAnswer returns the Welcome or the Refuse of a body. A Welcome of a version that was not asked
// for is malformed. The Token aliases body.
func ParseAnswer(body []byte) (*Welcome, *Refuse, error) {
	if len(body) == 0 {
		return nil, nil, ErrMalformed
	}
	p := parser{rest: body[1:]}
	switch body[0] {
	case KindRefuse:
		r := &Refuse{Code: Code(p.byte())}
		r.Text = string(p.rest)
		r, err := whole(r, p, body)
		return nil, r, err
	case KindWelcome:
		w := &Welcome{Version: p.byte()}
		w.Continued = p.byte()&flagContinue != 0
		w.Received = p.uint64()
		w.Keep = p.keep()
		w.Window = p.uint32()
		w.Token = p.token()
		if w.Version != Version {
			return nil, nil, ErrMalformed
		}
		w, err := whole(w, p, body)
		return w, nil, err
	}
	return nil, nil, ErrMalformed
}

// Control is a control frame of a connection that goes on: the field of its kind is valid.
type Control struct {
	Kind     byte
	Received uint64 // of an Ack
	Bye      Bye
}

// Parse returns the control frame of a body. What is behind its fields is room for later versions.
func Parse(body []byte) (Control, error) {
	if len(body) == 0 {
		return Control{}, ErrMalformed
	}
	p := parser{rest: body[1:]}
	c := Control{Kind: body[0]}
	switch c.Kind {
	case KindAck:
		c.Received = p.uint64()
	case KindBye:
		c.Bye.Sent = p.uint64()
		c.Bye.Code = p.byte()
	case KindQuestion:
	default:
		return Control{}, ErrMalformed
	}
	return whole(c, p, body)
}

// parser takes fields off a body. When that is too short, all that follows is zero.
type parser struct {
	rest  []byte
	short bool
}

func (p *parser) bytes(n int) []byte {
	if n > len(p.rest) {
		p.short, p.rest = true, nil
		return make([]byte, n)
	}
	b := p.rest[:n:n]
	p.rest = p.rest[n:]
	return b
}

func (p *parser) byte() byte     { return p.bytes(1)[0] }
func (p *parser) uint32() uint32 { return order.Uint32(p.bytes(4)) }
func (p *parser) uint64() uint64 { return order.Uint64(p.bytes(8)) }
func (p *parser) keep() Keep     { return Keep{p.uint32(), p.uint32()} }

func (p *parser) token() []byte {
	n := int(p.byte())
	if n > MaxToken {
		p.short = true
		return nil
	}
	return p.bytes(n)
}

// whole returns what was parsed of a body, or nothing and an error if that was too short or too large.
func whole[T any](parsed T, p parser, body []byte) (T, error) {
	if p.short || len(body) > MaxBody {
		var nothing T
		return nothing, ErrMalformed
	}
	return parsed, nil
}
