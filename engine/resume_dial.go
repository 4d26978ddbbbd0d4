package engine

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/netasync/netasync/internal/resume"
	"github.com/netasync/netasync/session"
)

// What a dialed session with Resume says and hears on a connection before that is its own.

// firstPrintable is the first code of a Refuse that may be a letter of a plain peer's message.
const firstPrintable = ' '

// resume says Hello on a connection and waits for the answer, until ctx ends. On an error it closes the
// connection. A connection of the user's may not heed deadlines: so it is closed when ctx ends.
func (p *plan) resume(ctx context.Context, d session.Driver, conn net.Conn, m manner) error {
	stop := context.AfterFunc(ctx, func() { closeSoon(conn) })
	err := p.negotiate(d, conn, m)
	if !stop() {
		err = m.unanswered(ctx.Err())
	}
	if err != nil {
		closeSoon(conn)
	}
	return err
}

// staysWith returns whether a session keeps to the endpoint of its last connection: that alone knows it.
func (p *plan) staysWith(d session.Driver) func() bool {
	if !p.Resume {
		return nil
	}
	return d.HasToken
}

// unanswered returns the error of a connection whose peer has not answered before its context ended.
func (m manner) unanswered(ended error) error {
	if !errors.Is(ended, context.DeadlineExceeded) {
		return ended
	}
	return fmt.Errorf("%w: no answer to resume within %v: does the peer have Resume on?",
		session.ErrNotResumable, m.patience)
}

// negotiate has the session go on, or begin, on a connection.
func (p *plan) negotiate(d session.Driver, conn net.Conn, m manner) error {
	hello := d.Greeting()
	hello.Follows = m.follows && hello.Continue
	hello.Only = m.led || hello.Only
	if _, err := conn.Write(controlFrame(p.Format, hello.Append(nil))); err != nil {
		return fmt.Errorf("netasync: resume: %w", err)
	}
	body, err := p.answer(conn)
	if err != nil {
		return err
	}
	welcome, refuse, err := resume.ParseAnswer(body)
	switch {
	case err != nil:
		return unreadable(body)
	case refuse != nil && refuse.Code == resume.RefuseGoTo && hello.Follows:
		return &elsewhere{refuse.Text}
	case refuse != nil:
		if !m.led { // else it is not known to be the session's listener
			d.Refused(refuse.Code)
		}
		return refused(refuse, body)
	case len(welcome.Token) == 0:
		return errNoToken
	case m.led && !welcome.Continued:
		return errBegan
	case m.led: // else it may be no listener of the session's, and what it says is to cost nothing
		if err := d.Believes(welcome); err != nil {
			return err
		}
	}
	return d.Welcomed(welcome)
}

// errBegan says that a listener has begun a session, and was asked not to.
var errBegan = errors.New("netasync: resume: another session has begun there")

// answer reads a control frame.
func (p *plan) answer(conn net.Conn) ([]byte, error) {
	s := scout{conn: conn, format: p.Format}
	length, err := s.head()
	if err == nil && length == 0 {
		length, err = s.head()
		from := len(s.seen)
		if err == nil && 0 < length && length <= resume.MaxBody {
			if err = s.read(length); err == nil {
				return s.seen[from:], nil
			}
		}
	}
	if err == nil {
		return nil, notAnAnswer(s.seen)
	}
	return nil, fmt.Errorf("netasync: resume: %w", endOf(conn, err))
}

// quotedBytes is how much of what a peer says instead is told.
const quotedBytes = 64

// notAnAnswer is the error of a peer that says something else.
func notAnAnswer(said []byte) error {
	said = said[:min(len(said), quotedBytes)]
	return fmt.Errorf("%w: it answers %s", session.ErrNotResumable, session.Quoted(string(said)))
}

// unreadable is the error of an answer that cannot be read. A Welcome is not told: it has a token.
func unreadable(body []byte) error {
	if len(body) > 1 && body[0] == resume.KindWelcome && body[1] < firstPrintable {
		return fmt.Errorf("%w: its welcome is malformed, or of version %d", session.ErrNotResumable, body[1])
	}
	return notAnAnswer(body)
}

// refused returns the error of a Refuse.
func refused(r *resume.Refuse, body []byte) error {
	switch {
	case r.Code >= firstPrintable || r.Code == 0:
		return notAnAnswer(body)
	case r.Code == resume.RefuseVersion:
		return fmt.Errorf("%w: %v", session.ErrNotResumable, r.Code)
	case r.Text != "":
		return fmt.Errorf("netasync: resumption refused: %v: %s", r.Code, session.Quoted(r.Text))
	}
	return fmt.Errorf("netasync: resumption refused: %v", r.Code)
}
