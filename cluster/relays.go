package cluster

import (
	"io"
	"net"
	"sync"
)

// relays are the connections that a node passes on at the moment.
type relays struct {
	most int // at the same time

	mu    sync.Mutex // guards all below; a leaf
	taken int        // places, also of those that are about to begin
	now   map[*relay]struct{}
	count uint64 // of all there were
	ended bool
}

// relay is one of them.
type relay struct {
	to      nodeID
	in, out net.Conn
}

func (r *relay) close() { _, _ = r.in.Close(), r.out.Close() }

// take takes a place, if there is one.
func (r *relays) take() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended || r.taken >= r.most {
		return false
	}
	r.taken++
	return true
}

// free gives a place back.
func (r *relays) free() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.taken--
}

// add begins to copy, both ways, until both connections have ended. The caller has taken a place, and has
// counted work for itself.
func (r *relays) add(n *Node, one *relay) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	if r.ended {
		one.close()
		r.taken--
		return
	}
	if r.now == nil {
		r.now = map[*relay]struct{}{}
	}
	r.now[one] = struct{}{}
	n.work.Go(func() {
		var back sync.WaitGroup
		back.Go(func() { copyEnd(one.in, one.out) })
		copyEnd(one.out, one.in)
		back.Wait()
		one.close()
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.now, one)
		r.taken--
	})
}

// copyEnd copies until the end, which it passes on. An error ends both connections.
func copyEnd(to, from net.Conn) {
	if _, err := io.Copy(to, from); err == nil && closeWrite(to) == nil {
		return
	}
	_, _ = to.Close(), from.Close()
}

// end closes all of them.
func (r *relays) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	for one := range r.now {
		one.close()
	}
}

// endTo closes those to one node.
func (r *relays) endTo(id nodeID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for one := range r.now {
		if one.to == id {
			one.close()
		}
	}
}

func (r *relays) stats(s *Stats) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Relaying, s.Relayed = len(r.now), r.count
}
