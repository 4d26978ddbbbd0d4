package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/netasync/netasync/examples/chat/internal/talk"
)

// Times of a stream.
const (
	Beat     = 15 * time.Second
	Patience = 10 * time.Second // a browser that takes nothing for so long has to come again
)

// events is the stream of a tab's updates.
func (g *Gateway) events(w http.ResponseWriter, r *http.Request, t *tab) {
	ctx, cancel := context.WithCancel(r.Context())
	defer context.AfterFunc(g.ctx, cancel)()
	defer cancel()
	ctx, detach, ok := t.attach(ctx, Away)
	if !ok {
		return
	}
	defer detach()
	out := &stream{w, http.NewResponseController(w), ctx}
	defer context.AfterFunc(ctx, out.abort)()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Connection", "close")                                // no other request is to have our write deadline
	after, _ := strconv.ParseUint(r.Header.Get("Last-Event-ID"), 10, 64) // 0: from the beginning
	if err := out.replay(t, after); err != nil {
		return
	}
	_ = out.follow(t)
}

// stream writes server-sent events. A write fails when the browser takes nothing for Patience, and when
// the context ends.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	ctx     context.Context
}

// abort ends a write that waits.
func (s *stream) abort() { _ = s.control.SetWriteDeadline(time.Now()) }

func (s *stream) printf(format string, args ...any) error {
	_ = s.control.SetWriteDeadline(time.Now().Add(Patience))
	if s.ctx.Err() != nil { // else abort comes behind this deadline
		return s.ctx.Err()
	}
	_, err := fmt.Fprintf(s.w, format, args...)
	return err
}

// replay writes what the browser has missed. Where that is not kept any more, the page is told.
func (s *stream) replay(t *tab, after uint64) error {
	first, missed, updates := t.since(after)
	err := s.printf("retry: 1000\n\n")
	if missed > 0 {
		err = s.printf("id: %d\ndata: %s\n\n", first-1, talk.Encode(Update{State: "missed", Missed: missed}))
	}
	for i, u := range updates {
		err = errors.Join(err, s.printf("id: %d\ndata: %s\n\n", first+uint64(i), talk.Encode(u)))
	}
	return errors.Join(err, s.control.Flush())
}

// follow writes what happens from now on. It ends with the session, or the context, or when the browser
// has gone.
func (s *stream) follow(t *tab) error {
	heart := time.NewTicker(Beat)
	defer heart.Stop()
	events := t.session.ReadChan()
	for {
		var err error
		select {
		case ev, open := <-events:
			if !open {
				return nil
			}
			n, u := t.note(ev)
			err = s.printf("id: %d\ndata: %s\n\n", n, talk.Encode(u))
		case <-heart.C:
			err = s.printf(":\n\n") // a comment, by which a browser that has gone is found
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
		if err == nil && len(events) == 0 { // nothing more for now
			err = s.control.Flush()
		}
		if err != nil {
			return err
		}
	}
}
