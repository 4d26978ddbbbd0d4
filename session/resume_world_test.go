package session

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/netasync/netasync/internal/resume"
)

// world of two ends that resume, over connections in memory that are cut after so many bytes. It does
// what an engine does: the handshake, and the table of sessions, which has one.
type resumeWorld struct {
	t        *testing.T
	near     *Session
	accepted chan *Session // each one once
	config   *Config       // of the accepted ones
	faults   []fault       // of which one strikes
	room     int           // of a connection, at least
	onLoop   *bool         // where both ends are read; nil: anywhere
	work     sync.WaitGroup
	ctx      context.Context
	stop     context.CancelFunc

	mu    sync.Mutex
	far   *Session                             // guarded by mu
	nonce resume.Nonce                         // of far
	token []byte                               // of far
	last  *wire                                // the dialer's side of the last connection
	cuts  int                                  // connections that were cut
	plan  func() (near, far int, welcome bool) // after how many bytes each way to cut, and whether the Welcome arrives
}

func newResumeWorld(t *testing.T, near, far *Config) *resumeWorld {
	w := &resumeWorld{t: t, config: far, accepted: make(chan *Session, 100), room: 1_000,
		faults: []fault{faultBreak, faultEnd, faultSwallow}}
	w.plan = func() (int, int, bool) { return unbounded, unbounded, true }
	w.ctx, w.stop = context.WithCancel(t.Context())
	w.near = New(1, near, unbound{})
	Drive(w.near).Resumable(0, resume.Keep{})
	Drive(w.near).Dial(nearDialer{w})
	return w
}

type nearDialer struct{ w *resumeWorld }

func (d nearDialer) Redial(bool, error) { d.w.work.Go(d.w.dial) }
func (d nearDialer) Kick()              {}
func (d nearDialer) Stop()              { d.w.stop() }

// window is the Redialer of the accepted session: its peer does come back.
type window struct{}

func (window) Redial(bool, error) {}
func (window) Kick()              {}
func (window) Stop()              {}

var errLostWelcome = errors.New("the welcome is lost")

// dial connects, after a moment, and until it is connected.
func (w *resumeWorld) dial() {
	for {
		select {
		case <-time.After(time.Duration(rand.IntN(2000)) * time.Microsecond):
		case <-w.ctx.Done():
			return
		}
		if !Drive(w.near).Dialing() {
			return
		}
		if err := w.connect(); err != nil {
			Drive(w.near).DialFailed(err)
			continue
		}
		return
	}
}

func (w *resumeWorld) connect() error {
	cutNear, cutFar, welcome := w.plan()
	near, far := newWires(w.room + rand.IntN(100_000))
	near.out.faultAfter(cutNear, w.faults[rand.IntN(len(w.faults))])
	near.in.faultAfter(cutFar, w.faults[rand.IntN(len(w.faults))])
	hello := Drive(w.near).Greeting()
	s, answer, err := w.answer(&hello)
	if err != nil {
		return err
	}
	if !welcome {
		Drive(s).Unclaim(hello.Number, errLostWelcome)
		return errLostWelcome
	}
	peer := Drive(s).Attach(far, hello.Number)
	if peer != nil {
		w.work.Go(func() { far.serve(peer, w.begins()) })
	}
	if err := Drive(w.near).Welcomed(answer); err != nil {
		far.Close()
		return err
	}
	c := Drive(w.near).Attach(near, 0)
	if c == nil {
		far.Close()
		return errCut
	}
	w.mu.Lock()
	w.last = near
	w.cuts++
	w.mu.Unlock()
	w.work.Go(func() { near.serve(c, w.begins()) })
	return nil
}

// begins reports whether a connection begins on an event loop.
func (w *resumeWorld) begins() bool {
	if w.onLoop != nil {
		return *w.onLoop
	}
	return rand.IntN(2) == 0
}

// answer does what a listener does about a Hello.
func (w *resumeWorld) answer(h *resume.Hello) (*Session, *resume.Welcome, error) {
	w.mu.Lock()
	s, known, byToken := w.far, (*resume.Known)(nil), string(h.Token) == string(w.token) && h.Continue
	if s != nil && (byToken || h.Nonce == w.nonce) {
		known = &resume.Known{Nonce: w.nonce, Number: Drive(s).Number(), Heard: Drive(s).Heard()}
	}
	w.mu.Unlock()
	verdict, code := resume.Judge(h, known, byToken, "", false)
	answer := &resume.Welcome{Version: resume.Version, Window: 120, Token: h.Token}
	if verdict == resume.Carry {
		received := h.Received
		if !byToken {
			received = 0
		}
		got, err := Drive(s).Claim(w.ctx, h.Number, received, h.Keep)
		if err == nil {
			answer.Continued, answer.Received, answer.Keep = byToken, got, Drive(s).Keeps()
			if !byToken {
				answer.Token = w.token
			}
			return s, answer, nil
		}
		if code = resume.RefuseUnknown; !errors.Is(err, resume.ErrGone) {
			return nil, nil, err
		}
	}
	if verdict == resume.Deny || h.Only {
		Drive(w.near).Refused(code)
		return nil, nil, fmt.Errorf("refused: %v", code)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	s = New(2, w.config, unbound{})
	Drive(s).Resumable(h.Number, h.Keep)
	Drive(s).Dial(window{})
	w.far, w.nonce, w.token = s, h.Nonce, []byte{byte(rand.Int()), byte(rand.Int()), byte(rand.Int())}
	answer.Token, answer.Keep = w.token, Drive(s).Keeps()
	w.accepted <- s
	return s, answer, nil
}

// cut breaks the last connection.
func (w *resumeWorld) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last != nil {
		w.last.Close()
	}
}
