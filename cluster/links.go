package cluster

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/netasync/netasync"
)

// Streams of RemoteSessions go by links: a session from each node to each other that it streams to, over
// the relay port. So there are two at most between two nodes, each of which carries streams one way, and
// how far they are the other way: neither waits behind the other, and each end knows who closes it.

// ErrNoLink is that a session's node cannot be reached by its relay port, or has none. The messages were
// not queued.
var ErrNoLink = errors.New("cluster: no link to the node of the session")

var (
	errLinkLost  = errors.New("cluster: the link to its node was lost")
	errIdle      = errors.New("cluster: the link has no streams")
	errStaleLink = errors.New("cluster: there is a later link")
	errNoLinks   = errors.New("cluster: no more links are taken in")
)

const (
	linkName = "cluster link"
	// linkPatience is how long a link may have no connection. Then its messages are given up.
	linkPatience = 5 * time.Second
	// ownerPatience is how long the other end keeps it: longer, as it may notice later.
	ownerPatience = 15 * time.Second
	// lookEvery is how often it is looked for streams that have nothing to send, and for links that have
	// no streams. They end when that is so twice in a row.
	lookEvery = 5 * time.Second
	// maxStreams is how many streams a link has at most.
	maxStreams = 1 << 10
)

// linkID is a link of all there are.
type linkID struct {
	from, to nodeID
	number   uint64 // of the links of from: the later one has a larger one
}

// identity is what the link's session is known by where it comes in.
func (id linkID) identity() string { return fmt.Sprintf("%v %d", id.from, id.number) }

func (id *linkID) append(b []byte) []byte {
	body := binary.BigEndian.AppendUint64(id.from.bytes(), uint64(id.to))
	body = appendNumber(body, id.number)
	return append(binary.BigEndian.AppendUint32(append(b, linkMagic...), uint32(len(body))), body...)
}

// parseLinkID parses what linkID.append has made, without its head. What follows is room for later versions.
func parseLinkID(body []byte) (*linkID, error) {
	r := reader{p: body}
	id := &linkID{r.node(), r.node(), r.number()}
	if r.bad || id.number == 0 {
		return nil, errMalformed
	}
	return id, nil
}

// links are all of a node.
type links struct {
	node     *Node
	engine   *netasync.Engine   // of links alone
	listener *netasync.Listener // nil: none come in
	work     sync.WaitGroup
	outlets  outlets

	mu     sync.Mutex // guards all below. Under it only locks of the directory and of the engine are taken
	out    map[nodeID]*link
	in     map[nodeID]*inLink
	count  uint64 // of links to others, so far
	closed bool
}

// open begins to serve links. Others come in if the node has a relay port.
func (l *links) open(n *Node) (err error) {
	l.node, l.out, l.in = n, map[nodeID]*link{}, map[nodeID]*inLink{}
	if l.engine, err = netasync.NewEngine(netasync.EngineOptions{Loops: 1}); err != nil {
		return err
	}
	if n.relayPort == nil {
		return nil
	}
	l.listener, err = l.engine.Serve(&noPort{closed: make(chan struct{})}, netasync.ListenOptions{
		Name: linkName, Resume: true, ResumeOnly: true, ResumeWindow: ownerPatience, OnEvent: l.event, Inline: true,
		MaxPayload: maxFrame, HeartbeatPeriod: beat, MaxSessions: 2 * maxNodes,
	})
	return err
}

// noPort is a listener to which nobody can connect: connections are given to ServeConn.
type noPort struct {
	once   sync.Once
	closed chan struct{}
}

func (p *noPort) Accept() (net.Conn, error) { <-p.closed; return nil, net.ErrClosed }
func (p *noPort) Close() error              { p.once.Do(func() { close(p.closed) }); return nil }
func (p *noPort) Addr() net.Addr            { return spoken{"cluster", linkName} }

// spawn starts a goroutine, unless the node has ended.
func (l *links) spawn(run func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.work.Go(run)
	}
	return !l.closed
}

// released has the streams of a claim say their last words, as it has ended. It does not wait, and the
// node's mu may be held.
func (l *links) released(id entryID) {
	if all := l.outlets.of(id); len(all) > 0 {
		l.spawn(func() {
			for _, o := range all {
				o.end()
			}
		})
	}
}

// linkTo returns the link to a node. If there is none, one begins.
func (l *links) linkTo(id nodeID) (*link, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ErrShutdown
	}
	if k := l.out[id]; k != nil {
		return k, nil
	}
	g, known := l.node.directory.node(id)
	if !known || g.relay == "" {
		return nil, ErrNoLink
	}
	k, err := l.newLink(g)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoLink, err)
	}
	l.out[id] = k
	return k, nil
}

func (l *links) removeOut(k *link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.out[k.to] == k {
		delete(l.out, k.to)
	}
}

func (l *links) removeIn(in *inLink) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.in[in.from] == in {
		delete(l.in, in.from)
	}
}

// admit returns who takes in a connection of a link. A new link of a node comes in when the one before it
// has ended, so that nothing that it held can come behind what the new one brings.
func (l *links) admit(id linkID) (*netasync.Listener, error) {
	l.mu.Lock()
	before := l.in[id.from]
	switch {
	case l.closed || l.listener == nil || id.to != l.node.id || before == nil && len(l.in) >= maxNodes:
		l.mu.Unlock()
		return nil, errNoLinks
	case before != nil && id.number < before.number:
		l.mu.Unlock()
		return nil, errStaleLink
	case before != nil && id.number == before.number:
		l.mu.Unlock()
		<-before.begun
		return l.listener, nil
	}
	in := l.newInLink(id)
	l.in[id.from] = in
	l.mu.Unlock()
	if before != nil {
		<-before.begun
		before.end(errStaleLink)
		before.work.Wait()
	}
	close(in.begun)
	return l.listener, nil
}

// event is told what happens to sessions that come in. It does not wait.
func (l *links) event(s *netasync.Session, ev netasync.Event) {
	in, _ := s.Value().(*inLink)
	switch {
	case ev.Kind == netasync.Connected && in == nil:
		if in = l.find(s.Identity()); in == nil || !in.open(s) {
			s.CloseNow(errStaleLink)
			return
		}
		s.SetValue(in)
	case ev.Kind == netasync.Message && in != nil:
		if err := in.receive(ev.Payload); err != nil {
			l.node.opts.Logger.Warn("cluster: a node breaks the protocol of links", "node", in.from, "error", err)
			l.spawn(func() { in.end(err) })
		}
	case ev.Kind == netasync.Closed && in != nil:
		l.spawn(func() { in.end(cmp.Or(ev.Err, errLinkLost)) })
	}
}

func (l *links) find(identity string) *inLink {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, in := range l.in {
		if in.identity() == identity {
			return in
		}
	}
	return nil
}

// all returns the links that there are now.
func (l *links) all() (out []*link, in []*inLink) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, k := range l.out {
		out = append(out, k)
	}
	for _, k := range l.in {
		in = append(in, k)
	}
	return out, in
}

// part lets the streams of this node's sessions say their last words, and what is under way to others
// arrive, for a second at most. The node's claims have ended.
func (l *links) part(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, farewell)
	defer cancel()
	out, in := l.all()
	var all sync.WaitGroup
	for _, k := range in {
		all.Go(func() { k.part(ctx) })
	}
	for _, k := range out {
		for _, b := range k.bindings() {
			all.Go(func() {
				b.s.mu.Lock()
				defer b.s.mu.Unlock()
				_ = b.s.await(ctx)
			})
		}
	}
	all.Wait()
}

// close ends all links. It may be called again.
func (l *links) close() {
	l.mu.Lock()
	closed := l.closed || l.engine == nil
	l.closed = true
	l.mu.Unlock()
	if closed {
		return
	}
	out, in := l.all()
	for _, k := range out {
		k.end(ErrShutdown)
	}
	for _, o := range l.outlets.list() {
		o.end()
	}
	for _, k := range in {
		k.end(ErrShutdown)
	}
	l.work.Wait()
	for _, k := range in {
		k.work.Wait()
	}
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	_ = l.engine.Shutdown(ctx)
}

func (l *links) stats(s *Stats) {
	out, in := l.all()
	s.Links, s.LinksIn = len(out), len(in)
	for _, k := range out {
		k.mu.Lock()
		s.Streams += len(k.streams)
		k.mu.Unlock()
	}
	for _, k := range in {
		k.mu.Lock()
		s.StreamsIn += len(k.streams)
		k.mu.Unlock()
	}
}

// voice is what the streams of a link have to say: each is in it once at most.
type voice[T any] struct {
	wake chan struct{} // one slot

	mu      sync.Mutex // guards all below; a leaf
	waiting []T
}

// add adds a stream that has something to say, unless it is marked as one that was added.
func (v *voice[T]) add(stream T, marked *atomic.Bool) {
	if marked.Swap(true) {
		return
	}
	v.mu.Lock()
	v.waiting = append(v.waiting, stream)
	v.mu.Unlock()
	v.tell()
}

// tell has wait return.
func (v *voice[T]) tell() {
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

// take takes all streams. The caller clears their marks before he looks at what they have to say.
func (v *voice[T]) take() (all []T) {
	v.mu.Lock()
	defer v.mu.Unlock()
	all, v.waiting = v.waiting, nil
	return all
}

// wait waits until there is something to take, or a tick. It reports false when ctx has ended.
func (v *voice[T]) wait(ctx context.Context, ticks <-chan time.Time) (ticked, ok bool) {
	select {
	case <-v.wake:
		return false, true
	case <-ticks:
		return true, true
	case <-ctx.Done():
		return false, false
	}
}
