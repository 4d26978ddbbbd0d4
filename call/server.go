package call

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/netasync/netasync/session"
)

// server has the requests of the peer.
type server struct {
	s        *session.Session
	control  *control
	self     uint64        // the number of this end
	requests int           // at once
	bytes    int           // of them
	done     chan struct{} // closed when the session has closed

	mu      sync.Mutex // guards all below. control.mu may be taken under it
	calls   map[callID]*work
	replies int      // of calls: those that have a reply, which waits for room, or is sent
	held    int      // bytes of calls, of the request or the reply
	waiting []*work  // for the first Serve
	service *service // nil: nobody serves
	served  bool     // somebody has, before
	ended   error    // why the session has closed; nil: in order

	peer   context.Context    // ends when nobody can have the replies to the requests of now
	isGone context.CancelFunc // ends it
}

// work is a request. server.mu guards what changes.
type work struct {
	id       callID
	request  []byte
	size     int // bytes that are held
	replied  bool
	deadline time.Time          // zero: none
	cancel   context.CancelFunc // nil: it waits
	peer     context.Context    // server.peer, when it came
}

// service is one Serve.
type service struct {
	ctx    context.Context
	handle Handler
	work   sync.WaitGroup
}

func newServer(s *session.Session, control *control, self uint64, o Options) *server {
	sv := &server{
		s: s, control: control, self: self, requests: o.MaxHandlers, bytes: o.MaxHandlerBytes,
		done: make(chan struct{}), calls: make(map[callID]*work),
	}
	sv.peer, sv.isGone = context.WithCancel(context.Background())
	return sv
}

// serve is Peer.Serve.
func (sv *server) serve(ctx context.Context, handle Handler) error {
	if handle == nil {
		return errNoHandler
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	svc := &service{ctx: ctx, handle: handle}
	if err := sv.open(svc); err != nil {
		return err
	}
	select {
	case <-sv.done:
	case <-ctx.Done():
	}
	sv.mu.Lock()
	sv.service = nil
	sv.mu.Unlock()
	svc.work.Wait()
	select {
	case <-sv.done:
		return sv.ended
	default:
		return ctx.Err()
	}
}

// open begins a service, with what waits for it.
func (sv *server) open(svc *service) error {
	sv.mu.Lock()
	defer sv.mu.Unlock()
	if sv.service != nil {
		return ErrServing
	}
	sv.service, sv.served = svc, true
	for _, w := range sv.waiting {
		sv.start(w)
	}
	sv.waiting = nil
	return nil
}

// start has a request handled. The caller holds mu.
func (sv *server) start(w *work) {
	svc := sv.service
	var ctx context.Context
	if w.deadline.IsZero() {
		ctx, w.cancel = context.WithCancel(svc.ctx)
	} else {
		ctx, w.cancel = context.WithDeadline(svc.ctx, w.deadline)
	}
	svc.work.Add(1)
	go sv.handle(ctx, svc, w)
}

// requested begins a request. The error says that the peer must not have sent it.
func (sv *server) requested(f *frame) error {
	sv.mu.Lock()
	defer sv.mu.Unlock()
	refuse := code(0)
	switch {
	case f.id.peer == sv.self:
		return errors.New("a request of this end itself, as from a peer that echoes")
	case sv.calls[f.id] != nil:
		return fmt.Errorf("a second request with the number %d", f.id.call)
	case sv.service == nil && sv.served:
		refuse = codeNotServed
	case sv.full(len(f.rest)):
		refuse = codeBusy
	}
	if refuse != 0 {
		return sv.control.refuse(f.id, refuse)
	}
	w := &work{id: f.id, request: f.rest, size: len(f.rest), peer: sv.peer}
	if f.timeout > 0 {
		w.deadline = time.Now().Add(f.timeout)
	}
	sv.calls[w.id] = w
	sv.held += w.size
	if sv.service == nil {
		sv.waiting = append(sv.waiting, w)
	} else {
		sv.start(w)
	}
	return nil
}

// maxReplies is how many replies may wait for room, beside as many as there are requests at once. A peer that
// has a reply may ask again before the handler's goroutine knows that it was sent: so these are not counted
// as requests that are worked on.
const maxReplies = 1024

// full reports whether there is no room for a request of so many bytes. The caller holds mu.
func (sv *server) full(size int) bool {
	return len(sv.calls)-sv.replies >= sv.requests || sv.replies >= sv.requests+maxReplies ||
		sv.held > 0 && size > sv.bytes-sv.held
}

// handle answers a request.
func (sv *server) handle(ctx context.Context, svc *service, w *work) {
	defer svc.work.Done()
	request := w.request
	w.request = nil // it is the handler's
	reply, err := guarded(ctx, svc.handle, request)
	w.cancel()
	if err == nil {
		err = sv.answer(w, replyFrame(w.id, reply))
		if !errors.Is(err, session.ErrFrameTooLarge) {
			err = nil
		}
	}
	if err != nil {
		text, room := err.Error(), session.Drive(sv.s).MaxPayload()-atText
		_ = sv.answer(w, failureFrame(w.id, codeFailed, text[:min(len(text), room)]))
	}
	sv.mu.Lock()
	defer sv.mu.Unlock()
	sv.drop(w)
}

// answer sends a reply. It waits for room, as long as there is somebody who can have it.
func (sv *server) answer(w *work, reply []byte) error {
	sv.mu.Lock()
	if !w.replied {
		w.replied = true
		sv.replies++
	}
	sv.held += len(reply) - w.size
	w.size = len(reply)
	sv.mu.Unlock()
	return sv.s.Send(w.peer, reply)
}

// drop gives the place of a request back. The caller holds mu.
func (sv *server) drop(w *work) {
	delete(sv.calls, w.id)
	sv.held -= w.size
	if w.replied {
		sv.replies--
	}
}

// canceled ends the context of a request whose caller has given up. There may be none: the answer is on its
// way then.
func (sv *server) canceled(id callID) error {
	sv.mu.Lock()
	defer sv.mu.Unlock()
	w := sv.calls[id]
	switch {
	case w == nil:
		return nil
	case w.cancel != nil:
		w.cancel()
		return nil
	}
	sv.waiting = slices.DeleteFunc(sv.waiting, func(other *work) bool { return other == w })
	sv.drop(w)
	return sv.control.refuse(id, codeCanceled)
}

// abandon ends the contexts of all requests, and what waits to be answered, since nobody can have the replies.
func (sv *server) abandon() {
	sv.mu.Lock()
	defer sv.mu.Unlock()
	for _, w := range sv.waiting {
		sv.drop(w)
	}
	sv.waiting = nil
	for _, w := range sv.calls {
		w.cancel()
	}
	sv.isGone()
	sv.peer, sv.isGone = context.WithCancel(context.Background())
}

// finish ends all requests with the session.
func (sv *server) finish(err error) {
	sv.abandon()
	sv.mu.Lock()
	defer sv.mu.Unlock()
	sv.ended = err
	close(sv.done)
}
