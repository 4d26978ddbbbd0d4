package engine

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/session"
)

// scene is a link between an accepted session and a peer, in which everything happens by hand but
// what goroutines do: the reader off the loop, and a writer that waits.
type scene struct {
	h     *host
	s     *session.Session
	l     *link
	loop  *handLoop
	peer  int    // the peer's descriptor
	inode uint64 // of our end, by whatever descriptor
	why   error  // the first complaint

	begun    []byte // the rest of a frame of which the peer has written a half
	sent     int    // whole messages that the peer has written
	finished bool   // the peer has said that it has no more
	took     testkit.Sequence
	closed   *session.Event

	queued   int // messages that the session has accepted
	buf      [16 << 10]byte
	got      []byte
	answered testkit.Sequence // what the peer has read

	closing, aborted, cut bool // Close and CloseNow were called, link.Close was or gnet stopped
}

// Sizes of messages, in bytes. One of ours is more than the socket takes.
const (
	sceneMessage = 24
	sceneAnswer  = 32 << 10
	sceneSendBuf = 4 << 10
)

func newScene() (*scene, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	var stat unix.Stat_t
	if err := unix.Fstat(pair[0], &stat); err != nil {
		return nil, err
	}
	_ = unix.SetsockoptInt(pair[0], unix.SOL_SOCKET, unix.SO_SNDBUF, sceneSendBuf)
	loop, err := newHandLoop()
	if err != nil {
		return nil, err
	}
	x := &scene{loop: loop, peer: pair[1], inode: stat.Ino}
	x.h = &host{hold: holdTime{50 * time.Microsecond, 50 * time.Microsecond}, enroll: loop.enroll}
	p, err := (&ListenOptions{
		ReadBuffer: session.Fixed(2), WriteBuffer: session.Fixed(2), HeartbeatPeriod: time.Hour, NoGreeting: true,
		Linger: testkit.Patience,
	}).resolve(x.h)
	if err != nil {
		return nil, err
	}
	x.s = x.h.sessions.Add(func(id uint64) *session.Session {
		return session.New(id, &p.Config, target{"unix", "peer"})
	})
	x.l = newLink(x.h, x.s, target{"unix", "us"}, target{"unix", "peer"})
	loop.l = x.l
	loop.open(&handConn{fd: pair[0]})
	return x, nil
}

// pause lets goroutines run.
func pause() {
	for range 5 {
		runtime.Gosched()
	}
	time.Sleep(10 * time.Microsecond)
}

// settle lets goroutines do what they are about to: the reader comes to wait for bytes, for room or
// for the loop. It need not be exact: whatever they do when is right.
func (x *scene) settle() {
	for range 100 {
		x.l.mu.Lock()
		quiet := x.l.conn == nil || x.l.ended
		x.l.mu.Unlock()
		if quiet || x.loop.offered() {
			return
		}
		pause()
		if !x.l.inner.CaughtUp() {
			return // it waits for room, or reads
		}
	}
}

// finish lets all happen that must, and returns what is wrong.
func (x *scene) finish() error {
	cutShort := x.finished && x.begun != nil // which ends the session
	if !x.closing && !x.aborted && !x.cut && !cutShort {
		x.until("everything to be delivered", func() bool {
			return x.closed != nil || x.took.Next() == x.sent && x.s.Stats().Queued == 0
		})
		_ = x.s.Close() // also where the peer has finished: for more answers nobody need wait
	}
	x.until("Closed", func() bool { return x.closed != nil })
	worked := make(chan struct{})
	go x.h.awaitWork(worked) // panics if the link was released twice
	x.until("the link's release", func() bool { return over(worked) })
	x.until("the end of enrolling", func() bool { return x.loop.enrolling.Load() == 0 })
	for x.loop.close() { // what it was offered too late
	}
	if n := x.descriptors(); n > 0 { // not later: the garbage collector closes what was forgotten
		x.complain("%d descriptors are left", n)
	}
	x.readAll()
	x.h.ticks.Stop()
	_ = unix.Close(x.peer)
	if n := x.loop.late(); n > 0 {
		x.complain("%d bytes were written to a descriptor that was closed", n)
	}
	x.verify()
	return x.why
}

// verify compares what came with what should have.
func (x *scene) verify() {
	if x.closed == nil {
		return
	}
	err := x.closed.Err
	switch {
	case x.aborted || x.cut:
	case x.finished && !x.closing:
		want := io.EOF
		if x.begun != nil {
			want = io.ErrUnexpectedEOF
		}
		if !errors.Is(err, want) && (err != nil || x.begun != nil) { // nil: Close came before its reader found out
			x.complain("Closed says %v, want %w", err, want)
		}
		if x.took.Next() != x.sent {
			x.complain("%d of %d messages before the end came", x.took.Next(), x.sent)
		}
	case !x.finished:
		if err != nil || x.answered.Next() != x.queued || len(x.got) > 0 {
			x.complain("closed by %w: %d of %d messages were sent, and %d bytes", err, x.answered.Next(), x.queued, len(x.got))
		}
	}
}

// until does all that may be due until the condition holds.
func (x *scene) until(what string, holds func() bool) {
	for deadline := time.Now().Add(testkit.Patience); x.why == nil && !holds(); pause() {
		x.loop.close()
		x.loop.take(true)
		x.loop.traffic()
		x.take()
		if !x.aborted && !x.cut { // else it must end without
			x.readAll()
		}
		if time.Now().After(deadline) {
			x.complain("%s did not come: %v, %+v, %d of %d taken", what, x.s.State(), x.s.Stats(), x.took.Next(), x.sent)
		}
	}
}

// over reports whether c was closed.
func over(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// descriptors returns how many there are of our end of the connection.
func (x *scene) descriptors() (n int) {
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		x.complain("%w", err)
	}
	name := fmt.Sprintf("socket:[%d]", x.inode)
	for _, f := range files {
		if where, err := os.Readlink("/proc/self/fd/" + f.Name()); err == nil && where == name {
			n++
		}
	}
	return n
}
