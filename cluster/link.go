package cluster

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/netasync/netasync"
)

// link is the way of this node's streams to another node: a session of the two, by which nothing is lost
// and nothing comes twice while both live, however often its connection breaks.
type link struct {
	links *links
	linkID
	session *netasync.Session
	ctx     context.Context
	cancel  context.CancelFunc
	voice   voice[*binding]
	timer   *time.Timer // ends it if it has no connection for too long
	stop    func() bool // no longer waits for the other node's end
	crowded atomic.Bool // somebody waits for room since streams were left

	mu        sync.Mutex // guards all below; a leaf
	streams   map[*binding]struct{}
	opened    map[uint64]*binding // those of them that the owner knows, by their numbers
	numbers   uint64              // of streams, so far
	room      chan struct{}       // closed when a stream has ended, or the link; nil: nobody waits
	connected bool                // it was at least once
	idle      bool                // it had no streams when that was looked at last
	ended     bool
}

// newLink begins to connect to a node. It does not wait.
func (l *links) newLink(to digest) (*link, error) {
	ended := l.node.directory.ended(to.node)
	if ended == nil {
		return nil, ErrNoLink
	}
	l.count++
	k := &link{links: l, linkID: linkID{l.node.id, to.node, l.count}, streams: map[*binding]struct{}{}}
	k.opened = map[uint64]*binding{}
	k.voice.wake = make(chan struct{}, 1)
	k.ctx, k.cancel = context.WithCancel(l.node.ctx)
	k.timer = time.AfterFunc(linkPatience, func() { k.endSoon(errNoAnswer) })
	s, err := l.engine.Connect(to.relay, k.options())
	if err != nil {
		k.timer.Stop()
		k.cancel()
		return nil, err
	}
	k.session = s
	k.stop = context.AfterFunc(ended, func() { k.endSoon(errNodeGone) })
	l.work.Go(k.speak)
	return k, nil
}

func (k *link) options() netasync.ConnectOptions {
	return netasync.ConnectOptions{
		Name: linkName, Resume: true, OnEvent: k.event, Inline: true, Dial: k.dial, MaxPayload: maxFrame,
		HeartbeatPeriod: beat, Backoff: netasync.Backoff{Initial: 20 * time.Millisecond, Max: beat},
	}
}

// dial connects to where the other node's relay port is now.
func (k *link) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	g, known := k.links.node.directory.node(k.to)
	if !known {
		return nil, errNodeGone
	}
	return k.links.node.offer(ctx, g.relay, preface{link: &k.linkID})
}

// event is told what happens to the session. It does not wait.
func (k *link) event(s *netasync.Session, ev netasync.Event) {
	switch ev.Kind {
	case netasync.Connected:
		k.timer.Stop()
		k.mu.Lock()
		lost := k.connected && !ev.Resumed
		k.connected = true
		k.mu.Unlock()
		if lost {
			k.endSoon(errLinkLost)
		}
	case netasync.Message:
		if err := k.receive(ev.Payload); err != nil {
			k.links.node.opts.Logger.Warn("cluster: a node breaks the protocol of links", "node", k.to, "error", err)
			k.endSoon(err)
		}
	case netasync.Disconnected:
		k.timer.Reset(linkPatience)
	case netasync.Closed:
		k.endSoon(errLinkLost)
	}
}

// receive takes in a frame.
func (k *link) receive(p []byte) error {
	f, err := parseFrame(p)
	if err != nil {
		return err
	}
	if f.kind != frameAck && f.kind != frameLast {
		return errMalformed
	}
	k.mu.Lock()
	b, numbers := k.opened[f.stream], k.numbers
	k.mu.Unlock()
	if b == nil {
		if f.stream > numbers {
			return errMalformed
		}
		return nil
	}
	if f.kind == frameLast {
		k.forget(b)
	}
	return b.s.reported(b, f)
}

// begin begins a stream. If there are too many, it returns a channel that is closed when there may be
// room, and neither if the link has ended.
func (k *link) begin(s *RemoteSession, h holder) (b *binding, room <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ended {
		return nil, nil
	}
	if len(k.streams) >= maxStreams {
		if k.room == nil {
			k.room = make(chan struct{})
		}
		k.crowded.Store(true)
		k.voice.tell() // so that those are left that have nothing to send
		return nil, k.room
	}
	b = &binding{s: s, holder: h, link: k, used: true}
	k.streams[b] = struct{}{}
	return b, nil
}

// open gives a stream its number, right before the owner is told of it: those come in order.
func (k *link) open(b *binding) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.numbers++
	b.number = k.numbers
	if !k.ended {
		k.opened[b.number] = b
	}
}

// forget ends a stream.
func (k *link) forget(b *binding) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.streams, b)
	delete(k.opened, b.number)
	k.tellRoom()
}

// tellRoom tells those that wait for room. The caller holds mu.
func (k *link) tellRoom() {
	if k.room != nil {
		close(k.room)
		k.room = nil
	}
}

// full reports whether somebody waits for room for a stream.
func (k *link) full() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.room != nil
}

// speak sends what the streams have to send, in turns.
func (k *link) speak() {
	if k.session.WaitConnected(k.ctx) != nil {
		return
	}
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		ticked, ok := k.voice.wait(k.ctx, ticker.C)
		if !ok {
			return
		}
		for _, b := range k.voice.take() {
			b.marked.Store(false)
			frames, more := b.s.frames(b)
			if _, err := k.session.SendBatch(k.ctx, frames); err != nil {
				return
			}
			if more {
				k.voice.add(b, &b.marked)
			}
		}
		if crowded := k.crowded.Swap(false); ticked || crowded {
			k.look(crowded)
		}
	}
}

// bindings returns all streams.
func (k *link) bindings() []*binding {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Collect(maps.Keys(k.streams))
}

// look leaves the streams that have nothing to send, and closes the link if there was none for a while.
func (k *link) look(now bool) {
	all := k.bindings()
	k.mu.Lock()
	over := k.idle && len(all) == 0
	k.idle = len(all) == 0 && !now
	k.mu.Unlock()
	if over {
		k.endSoon(errIdle)
	}
	for _, b := range all {
		b.s.look(b, now)
	}
}

// endSoon ends the link in a goroutine of its own.
func (k *link) endSoon(why error) { k.links.spawn(func() { k.end(why) }) }

// end ends the link, but not for want of streams if one has begun meanwhile. Messages that were sent and
// not answered may have been handled, or not.
func (k *link) end(why error) {
	k.mu.Lock()
	if errors.Is(why, errIdle) && len(k.streams) > 0 {
		k.idle = false
		k.mu.Unlock()
		return
	}
	first, connected, streams := !k.ended, k.connected, k.streams
	k.ended, k.streams, k.opened = true, nil, nil
	k.tellRoom()
	k.mu.Unlock()
	if !first {
		return
	}
	k.links.removeOut(k)
	k.cancel()
	k.timer.Stop()
	k.stop()
	if errors.Is(why, errIdle) {
		_ = k.session.Close()
	} else {
		k.session.CloseNow(why)
	}
	for b := range streams {
		b.s.lost(b, why, connected)
	}
}
