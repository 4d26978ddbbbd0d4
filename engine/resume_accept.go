package engine

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/netasync/netasync/internal/resume"
	"github.com/netasync/netasync/session"
)

// The part of admission that is there with Resume: what the peer says first, and what follows from it.

// helloWait is how long a peer may say nothing before it is taken for one that waits for us.
const helloWait = time.Second

// Why a peer is refused, beside the codes of resumption.
var (
	errBadHello = errors.New("netasync: malformed hello")
	errNoHello  = error(because{session.ErrNotResumable, byResume})
)

// claim is a session that an arrival is for.
type claim struct {
	*resumption
	number uint64
}

// greet reads what the peer says first. If that is a Hello, a session is found for it, or it is to be
// made. A plain peer's first bytes are kept for its session.
func (a *arrival) greet(t *tether) error {
	if !a.plan.Resume {
		return nil
	}
	t.shaken.Store(false) // who is slow here makes room, too
	h, err := a.hear()
	if err != nil {
		return err
	}
	t.shaken.Store(true)
	switch {
	case h != nil && h.Version != resume.Version:
		return a.deny(resume.RefuseVersion)
	case h != nil && (a.redirected(h) || a.routed(h)):
		return errRouted
	case h != nil:
		return a.judge(t.ctx, h)
	case a.plan.resumeOnly:
		return errNoHello
	}
	return nil
}

// hear returns the peer's Hello, or nil for a plain peer. Whether it is one that is silent, slow, or has
// gone, its session will find out as well.
func (a *arrival) hear() (*resume.Hello, error) {
	s := scout{conn: a.conn, format: a.plan.Format, patience: helloWait, crowded: a.crowded, looked: time.Now()}
	o, err := s.opening()
	_ = a.conn.SetReadDeadline(time.Time{})
	late := errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, errMaxPending)
	if begins := a.plan.Format.HeaderLen(0); err != nil && len(s.seen) > begins && !late {
		// So far it was a Hello, and there is no message.
		return nil, because{fmt.Errorf("%w: %w", errBadHello, endOf(a.conn, err)), byResume}
	}
	if err != nil || o.sight == plain {
		a.entry = &entry{early: s.seen, late: newLateHello(a.plan.Format, s.seen)}
		return nil, nil
	}
	if o.length > resume.MaxBody {
		return nil, because{fmt.Errorf("%w: %d bytes", errBadHello, o.length), byResume}
	}
	s.patience = 0
	err = s.read(o.length - helloBegins)
	_ = a.conn.SetReadDeadline(time.Time{})
	switch {
	case errors.Is(err, errMaxPending):
		return nil, err
	case err != nil:
		return nil, because{fmt.Errorf("%w: %w", errBadHello, endOf(a.conn, err)), byResume}
	}
	a.said = s.seen
	h, err := resume.ParseHello(s.seen[o.body:])
	if err != nil {
		return nil, because{fmt.Errorf("%w: %w", errBadHello, err), byResume}
	}
	return &h, nil
}

// judge decides about a Hello. If a session is to begin, it keeps others of its nonce waiting until
// that is known, see begun. A session that ends while it is judged is none, and another may have begun
// meanwhile: so that is judged again.
func (a *arrival) judge(ctx context.Context, h *resume.Hello) error {
	a.owner = ownerOf(a)
	for {
		if err := a.host.resumptions.reserve(ctx, h.Nonce); err != nil {
			return err
		}
		a.reserved = &h.Nonce
		found, byToken, verdict, code := a.verdict(h)
		if verdict == resume.Begin {
			a.hello = h
			return nil
		}
		a.begun()
		switch verdict {
		case resume.Deny:
			return a.deny(code)
		case resume.StartOver:
			found.driver.Session().CloseNow(session.ErrBadAck)
		case resume.Carry:
			if over, err := a.carry(ctx, h, found, byToken); !over {
				return err
			}
		}
		found.Stop() // if it is ending, it is to be found no more
	}
}

// begun lets others of the arrival's nonce go on: its session can be found, or there will be none.
func (a *arrival) begun() {
	if a.reserved != nil {
		a.host.resumptions.release(*a.reserved)
		a.reserved = nil
	}
}

// verdict looks for the session of a Hello, and judges.
func (a *arrival) verdict(
	h *resume.Hello,
) (found *resumption, byToken bool, verdict resume.Verdict, code resume.Code) {
	found, byToken = a.host.resumptions.find(h)
	var known *resume.Known
	if found != nil && found.format == a.plan.Format {
		known = found.known()
	}
	verdict, code = resume.Judge(h, known, byToken, a.owner, a.secure())
	return found, byToken, verdict, code
}

// carry claims a session, and welcomes its peer. It reports that the session is over if that cannot go
// on.
func (a *arrival) carry(
	ctx context.Context, h *resume.Hello, r *resumption, byToken bool,
) (over bool, err error) {
	received := h.Received
	if !byToken { // it has never had a Welcome of this session
		received = 0
	}
	ours, err := r.driver.Claim(ctx, h.Number, received, h.Keep)
	switch {
	case errors.Is(err, resume.ErrStale):
		return false, a.deny(resume.RefuseStale)
	case errors.Is(err, resume.ErrImplausible):
		r.driver.Session().CloseNow(session.ErrBadAck)
		return true, nil
	case errors.Is(err, resume.ErrGone):
		return true, nil
	case err != nil:
		return false, err
	}
	r.claimed(h.Number)
	a.claim = &claim{r, h.Number}
	w := &resume.Welcome{Continued: byToken, Received: ours, Token: h.Token}
	if !byToken {
		var ok bool
		if w.Token, ok = r.issue(h.Number); !ok {
			return false, a.deny(resume.RefuseStale)
		}
		w.Received = 0
	}
	return false, a.welcome(w, r)
}

// welcome answers a Hello.
func (a *arrival) welcome(w *resume.Welcome, r *resumption) error {
	w.Version, w.Keep, w.Window = resume.Version, r.driver.Keeps(), seconds(r.window)
	if err := a.say(w.Append(nil)); err != nil {
		return because{err, byResume}
	}
	return nil
}

// welcomeNew answers the Hello of a session that begins. From now on that is found by its token.
func (a *arrival) welcomeNew() error {
	if a.hello == nil {
		return nil
	}
	token, ok := a.fresh.issue(a.hello.Number)
	a.begun()
	if !ok {
		return errUnwanted
	}
	return a.welcome(&resume.Welcome{Token: token}, a.fresh)
}

// number returns that of the arrival's connection, 0 if its peer has said none.
func (a *arrival) number() uint64 {
	if a.hello == nil {
		return 0
	}
	return a.hello.Number
}

// tellRefused tells a peer that has said Hello that there will be no session.
func (a *arrival) tellRefused(code resume.Code) {
	if a.hello != nil {
		_ = a.deny(code)
	}
}

// say writes a control frame. The peer has HandshakeTimeout to take it, and no longer than the door's
// owner lasts.
func (a *arrival) say(body []byte) error {
	late := a.plan.handshakeTimeout
	_ = a.conn.SetWriteDeadline(time.Now().Add(late))
	written, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		timer := time.NewTimer(late) // for connections of the user's that know no deadlines
		defer timer.Stop()
		select {
		case <-written:
			return
		case <-timer.C:
		case <-a.done:
		}
		closeSoon(a.conn)
	}()
	_, err := a.conn.Write(controlFrame(a.plan.Format, body))
	close(written)
	<-watched
	_ = a.conn.SetWriteDeadline(time.Time{})
	return err
}

// deny refuses a Hello, and returns the error to refuse the arrival with.
func (a *arrival) deny(code resume.Code) error {
	r := resume.Refuse{Code: code}
	_ = a.say(r.Append(nil))
	return because{fmt.Errorf("netasync: resumption refused: %v", code), byResume}
}

// resumed gives the arrival's connection to the session that it has claimed.
func (a *arrival) resumed() error {
	a.entry = &entry{number: a.claim.number}
	return a.serve(a.claim.driver.Session())
}

// makeResumable makes the session that an arrival begins one that can be resumed.
func (a *arrival) makeResumable(d session.Driver) {
	a.fresh = &resumption{
		host: a.host, row: &a.absent, driver: d, format: a.plan.Format, nonce: a.hello.Nonce,
		identity: a.owner, secure: a.secure(), window: a.plan.resumeWindow, prefix: a.plan.tokenPrefix,
	}
	d.Resumable(a.hello.Number, a.hello.Keep)
	d.Dial(a.fresh)
	a.entry = &entry{number: a.hello.Number}
}

// secure reports whether the connection speaks TLS.
func (a *arrival) secure() bool {
	if a.info != nil {
		return a.info.Secure
	}
	_, ok := a.conn.(*tls.Conn)
	return ok
}

// ownerOf returns who may resume the session of an arrival: whom Identify has named, or else the subject
// of the certificate that TLS has verified. It is not the certificate itself, which is renewed.
func ownerOf(a *arrival) string {
	if a.info != nil {
		return a.info.Identity
	}
	if a.plan.identify != nil {
		return a.identity
	}
	t, ok := a.conn.(*tls.Conn)
	if !ok {
		return ""
	}
	chains := t.ConnectionState().VerifiedChains
	if len(chains) == 0 {
		return ""
	}
	return subjectOf(chains[0][0])
}

// subjectOf returns whom a certificate is for. Where it has no subject, that is said by its other names.
func subjectOf(c *x509.Certificate) string {
	if name := c.Subject.String(); name != "" {
		return name
	}
	names := append(append([]string(nil), c.DNSNames...), c.EmailAddresses...)
	for _, u := range c.URIs {
		names = append(names, u.String())
	}
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return strings.Join(names, ",")
}
