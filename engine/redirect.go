package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/netasync/netasync/session"
)

// How a dialed session gets a connection: from the endpoint of an attempt, or from where a listener
// says that its session lives, see ConnectOptions.FollowRedirect. A redirect is a shortcut, and never
// the only way: where it leads nowhere the endpoint is asked again, by a Hello that takes no redirect.
// So there are three connections at most for an endpoint, and no circle.

// way is how a session's connections are made, one at a time.
type way struct {
	engine *Engine
	s      *session.Session
	dial   dialFunc
	plan   *plan

	// astray says that the last redirect led nowhere: none is taken before there was a connection. Within
	// an attempt that is clear. It also helps where a Dial of the user's goes on after its context ended, so
	// that there is no time left to ask again.
	astray bool
	led    bool // the last connection was made where a redirect had led
}

// manner is how a connection is asked for.
type manner struct {
	follows  bool          // the answer may be another address
	led      bool          // it was: the session is to go on there, and none is to begin
	patience time.Duration // until the answer
}

// elsewhere is the answer that another address is the one to go to.
type elsewhere struct{ addr string }

func (e *elsewhere) Error() string {
	return "netasync: told to go to " + session.Quoted(e.addr)
}

// connect makes one connection and hands it to the session.
func (w *way) connect(ctx context.Context, addr string) error {
	if w.led && !session.Drive(w.s).Proven() {
		w.astray = true // as where a firewall lets a welcome pass, and nothing more
	}
	w.led = false
	conn, err := w.reach(ctx, addr, manner{
		follows: w.plan.follow != nil && !w.astray, patience: w.plan.dialTimeout,
	})
	if there := (*elsewhere)(nil); errors.As(err, &there) {
		conn, err = w.redirected(ctx, addr, there)
	} else if err == nil {
		w.astray = false
	}
	if err != nil {
		return err
	}
	_, err = w.engine.host.serve(w.s, conn, nil)
	return err
}

// reach returns a connection that the session goes on by, or begins.
func (w *way) reach(ctx context.Context, addr string, m manner) (net.Conn, error) {
	p := w.plan
	network, address, err := splitAddr(addr)
	if err != nil {
		return nil, err
	}
	conn, err := w.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if p.tls != nil {
		if conn, err = clientTLS(conn, p.tls, network, address); err != nil {
			return nil, err
		}
	}
	if t, ok := conn.(*tls.Conn); ok { // of ours, or of the user's Dial
		if err = handshake(ctx, t); err != nil {
			return nil, err
		}
	}
	if p.Resume {
		if err = p.resume(ctx, session.Drive(w.s), conn, m); err != nil {
			return nil, err
		}
	}
	return conn, nil
}

// redirected goes where an endpoint has said, or else asks that endpoint again.
func (w *way) redirected(ctx context.Context, addr string, there *elsewhere) (net.Conn, error) {
	conn, err := w.follow(ctx, there.addr)
	if err == nil {
		w.led = true
		return conn, nil
	}
	w.astray = true
	if ctx.Err() != nil {
		return nil, err
	}
	conn, again := w.reach(ctx, addr, manner{patience: w.plan.dialTimeout})
	if again != nil {
		before := there.Error() + ": " + err.Error() // in words: what failed is the endpoint
		return nil, fmt.Errorf("%w (before: %s)", again, before)
	}
	w.astray = false
	w.engine.host.tellAstray(w.s, addr, there.addr, err)
	return conn, nil
}

var errNotFollowed = errors.New("netasync: FollowRedirect is against it")

// follow connects to where a peer has said. It takes half of the time that is left, so that the other
// way has the rest.
func (w *way) follow(ctx context.Context, addr string) (net.Conn, error) {
	if err := checkRedirect(addr); err != nil {
		return nil, err
	}
	if !w.plan.follow(addr) {
		return nil, errNotFollowed
	}
	patience := w.plan.dialTimeout / 2
	if end, ok := ctx.Deadline(); ok {
		patience = time.Until(end) / 2
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return w.reach(ctx, addr, manner{led: true, patience: patience.Round(time.Millisecond)})
}

// maxRedirect is the longest address of a redirect in bytes: it fits into a frame of every Codec.
const maxRedirect = 250

// checkRedirect returns why an address is none to go to. It is one that TCP can dial, with a port that
// is a number, and of letters that do no harm in a log or in what a proxy is told.
func checkRedirect(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	number, notNumber := strconv.ParseUint(port, 10, 16)
	if err != nil || host == "" || notNumber != nil || number == 0 || len(addr) > maxRedirect ||
		strings.HasPrefix(addr, unixPrefix) || strings.ContainsFunc(host, notOfHost) {
		return fmt.Errorf("netasync: redirect to %s, want host:port, at most %d bytes", session.Quoted(addr), maxRedirect)
	}
	return nil
}

// notOfHost reports whether a letter is of no name of a host, and of no IP address.
func notOfHost(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-._:%", r))
}

// tellAstray tells that a redirect was of no use, and that the session is connected all the same.
func (h *host) tellAstray(s *session.Session, endpoint, to string, err error) {
	ctx := context.Background()
	if !h.log.Enabled(ctx, slog.LevelInfo) {
		return
	}
	h.log.LogAttrs(ctx, slog.LevelInfo, "netasync: redirect not followed", slog.Uint64("session", s.ID()),
		slog.String("name", session.Quoted(s.Name())), slog.String("remote", session.Quoted(endpoint)),
		slog.String("to", session.Quoted(to)), slog.Any("error", session.QuotedError(err)))
}
