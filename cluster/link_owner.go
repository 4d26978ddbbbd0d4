package cluster

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/netasync/netasync"
)

// inLink is a link at the node that was dialed: streams of another node come in by it.
type inLink struct {
	links *links
	linkID
	begun  chan struct{} // closed when the link before it, of the same node, has ended
	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup
	voice  voice[*outStream]
	timer  *time.Timer // ends it if its session does not come

	mu      sync.Mutex // guards all below, and that no work begins when it has ended
	session *netasync.Session
	streams map[uint64]*outStream
	highest uint64        // number of a stream
	empty   chan struct{} // closed when there are no streams; nil: nobody waits
	ended   bool
}

// outStream is a stream at its owner.
type outStream struct {
	*outlet
	number uint64
}

func (l *links) newInLink(id linkID) *inLink {
	in := &inLink{links: l, linkID: id, begun: make(chan struct{}), streams: map[uint64]*outStream{}}
	in.voice.wake = make(chan struct{}, 1)
	in.ctx, in.cancel = context.WithCancel(l.node.ctx)
	in.timer = time.AfterFunc(ownerPatience, func() {
		if !in.isOpen() {
			in.end(errNoAnswer)
		}
	})
	return in
}

func (in *inLink) isOpen() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.session != nil
}

// open gives the link its session. It has one: where the other node's cannot go on, a new link begins.
func (in *inLink) open(s *netasync.Session) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.ended || in.session != nil {
		return false
	}
	in.session = s
	in.work.Go(func() { in.speak(s) })
	return true
}

// spawn starts a goroutine of an outlet.
func (in *inLink) spawn(run func()) bool {
	if in.ctx.Err() != nil {
		return false
	}
	in.work.Go(run)
	return true
}

// receive takes in a frame. It does not wait. An error says that the other node breaks the protocol.
func (in *inLink) receive(p []byte) error {
	f, err := parseFrame(p)
	if err != nil {
		return err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.ended {
		return nil
	}
	o := in.streams[f.stream]
	switch {
	case f.kind == frameOpen && f.stream > in.highest && len(in.streams) < 2*maxStreams:
		in.highest = f.stream
		in.begin(f)
	case f.kind == frameOpen, f.kind == frameAck, f.kind == frameLast, f.stream > in.highest:
		return errMalformed
	case o == nil: // its last word is on the way
	case f.kind == frameData:
		if err := o.add(f.messages); !errors.Is(err, ErrShutdown) {
			return err
		}
	case f.kind == frameLeave:
		in.work.Go(o.end)
	}
	return nil
}

// begin begins a stream. The caller holds mu.
func (in *inLink) begin(f frame) {
	o := &outStream{number: f.stream}
	id := entryID{kindName, f.name, f.session}
	o.outlet = newOutlet(in.ctx, in.links.node, id, in.spawn, func() { in.voice.add(o, &o.marked) })
	in.streams[f.stream] = o
	if !o.open() {
		in.work.Go(o.end)
	}
}

// speak tells the other node how far its streams are.
func (in *inLink) speak(s *netasync.Session) {
	var frames [][]byte
	var over []*outStream
	for {
		if _, ok := in.voice.wait(in.ctx, nil); !ok {
			return
		}
		frames, over = frames[:0], over[:0]
		for _, o := range in.voice.take() {
			o.marked.Store(false)
			f := o.report()
			f.stream = o.number
			if f.kind == frameLast {
				over = append(over, o)
			}
			frames = append(frames, f.append(nil))
		}
		if _, err := s.SendBatch(in.ctx, frames); err != nil {
			return
		}
		for _, o := range over {
			in.forget(o)
		}
	}
}

func (in *inLink) forget(o *outStream) {
	in.mu.Lock()
	defer in.mu.Unlock()
	delete(in.streams, o.number)
	if len(in.streams) == 0 && in.empty != nil {
		close(in.empty)
		in.empty = nil
	}
}

// part waits until all streams have said their last words, as their claims have ended, and the other node
// has them.
func (in *inLink) part(ctx context.Context) {
	in.mu.Lock()
	s, empty := in.session, make(chan struct{})
	if len(in.streams) > 0 {
		in.empty = empty
	} else {
		close(empty)
	}
	in.mu.Unlock()
	if s == nil {
		return
	}
	select {
	case <-empty:
		_ = s.Flush(ctx)
	case <-in.ctx.Done():
	case <-ctx.Done():
	}
}

// end ends the link. What its streams still hold is not handled any more.
func (in *inLink) end(why error) {
	in.mu.Lock()
	first, s := !in.ended, in.session
	in.ended = true
	streams := slices.Collect(maps.Values(in.streams)) // speak goes on to forget some
	in.mu.Unlock()
	if !first {
		return
	}
	in.cancel()
	in.timer.Stop()
	for _, o := range streams {
		o.end()
	}
	if s != nil {
		s.CloseNow(why)
	}
	in.links.removeIn(in)
}
