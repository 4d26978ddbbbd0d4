package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/session"
)

// events are what may happen, each by a letter. They return false if nothing has.
var events = map[byte]func(*scene) bool{
	'w': func(x *scene) bool { return x.write(1) },
	'b': func(x *scene) bool { return x.write(4) }, // more than the session has room for
	'h': (*scene).writeHalf,
	'e': (*scene).finishPeer,
	'l': func(x *scene) bool { return x.loop.traffic() },
	'o': func(x *scene) bool { return x.loop.take(true) },
	'x': func(x *scene) bool { return x.loop.take(false) },
	'c': func(x *scene) bool { return x.loop.close() },
	't': (*scene).take,
	's': (*scene).send,
	'r': (*scene).readAll,
	'C': func(x *scene) bool { return !swap(&x.closing) && x.s.Close() == nil },
	'N': func(x *scene) bool { x.s.CloseNow(errThrownOut); return !swap(&x.aborted) },
	'L': func(x *scene) bool { x.l.Close(); return !swap(&x.cut) },
	'z': func(x *scene) bool { return x.loop.stop() && !swap(&x.cut) },
}

// may reports whether an event might change something. That it does not is known of most that do not.
func (x *scene) may(event byte) bool {
	switch event {
	case 'w', 'b', 'e':
		return !x.finished
	case 'h':
		return !x.finished && x.begun == nil
	case 'l', 'z':
		return x.loop.current != nil
	case 'o', 'x':
		return x.loop.offered()
	case 'c':
		c := x.loop.current
		return len(x.loop.closing) > 0 || c != nil && c.asked.Load()
	case 'C':
		return !x.closing
	case 'N':
		return !x.aborted
	case 'L':
		return !x.cut
	}
	return true
}

// swap sets b, and returns what it was.
func swap(b *bool) (was bool) {
	was, *b = *b, true
	return was
}

func (x *scene) complain(format string, args ...any) {
	if x.why == nil {
		x.why = fmt.Errorf(format, args...)
	}
}

// write has the peer write so many messages, or the end of one first.
func (x *scene) write(n int) bool {
	for ; n > 0; n-- {
		p := x.begun
		if p == nil {
			p = testkit.Frames(testkit.Numbered(x.sent, sceneMessage))
		}
		if !x.put(p) {
			return false
		}
		x.begun = nil
		x.sent++
	}
	return true
}

func (x *scene) writeHalf() bool {
	if x.begun != nil {
		return false
	}
	frame := testkit.Frames(testkit.Numbered(x.sent, sceneMessage))
	half := 2 + x.sent%4 // within the header, at its end, behind it
	if !x.put(frame[:half]) {
		return false
	}
	x.begun = frame[half:]
	return true
}

// put reports false if the connection is over for the peer.
func (x *scene) put(p []byte) bool {
	if x.finished {
		return false
	}
	n, err := unix.Write(x.peer, p)
	if err == nil && n != len(p) {
		x.complain("the peer could write %d of %d bytes", n, len(p))
	}
	return err == nil
}

func (x *scene) finishPeer() bool {
	_ = unix.Shutdown(x.peer, unix.SHUT_WR)
	return !swap(&x.finished)
}

// take takes what is there, and reports whether anything was.
func (x *scene) take() (any bool) {
	over, cancel := context.WithCancel(context.Background())
	cancel()
	for {
		ev, err := x.s.Recv(over)
		if err != nil {
			return any
		}
		any = true
		switch ev.Kind {
		case session.Message:
			if err := x.took.Take(ev.Payload); err != nil {
				x.complain("received: %w", err)
			}
		case session.Closed:
			x.closed = &ev
		}
	}
}

func (x *scene) send() bool {
	if x.s.TrySend(testkit.Numbered(x.queued, sceneAnswer)) != nil {
		return false
	}
	x.queued++
	return true
}

// readAll has the peer read until a writer that waits has written all, or nothing comes.
func (x *scene) readAll() (any bool) {
	for range 200 {
		n, err := unix.Read(x.peer, x.buf[:])
		switch {
		case n > 0:
			any = true
			x.got = append(x.got, x.buf[:n]...)
		case err == nil || !errors.Is(err, unix.EAGAIN) || x.s.Stats().Queued == 0:
			x.parse()
			return any
		default:
			pause()
		}
	}
	x.parse()
	return any
}

// parse looks at the messages that the peer has got.
func (x *scene) parse() {
	for len(x.got) >= 4 {
		end := 4 + int(binary.BigEndian.Uint32(x.got))
		if len(x.got) < end {
			return
		}
		if err := x.answered.Take(x.got[4:end]); err != nil {
			x.complain("sent: %w", err)
		}
		x.got = x.got[end:]
	}
}
