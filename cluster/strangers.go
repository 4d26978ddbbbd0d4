package cluster

import (
	"container/list"
	"net"
	"sync"
)

// strangers are connections that have not shown yet that they are of a node. There are maxStrangers at
// most: the oldest one gives way to a new one, as a node takes milliseconds to show it, and who says
// nothing does not keep nodes out.
type strangers struct {
	mu    sync.Mutex // guards all below; a leaf
	order list.List  // of net.Conn, the oldest first
	all   map[net.Conn]*list.Element
}

// add adds a connection, and closes the oldest one if there are too many.
func (s *strangers) add(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[net.Conn]*list.Element{}
	}
	s.all[conn] = s.order.PushBack(conn)
	if len(s.all) > maxStrangers {
		oldest := s.order.Front().Value.(net.Conn)
		s.removeLocked(oldest)
		_ = oldest.Close()
	}
}

// remove is for a connection that is of a node, or is over.
func (s *strangers) remove(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.removeLocked(conn)
}

func (s *strangers) removeLocked(conn net.Conn) {
	if e := s.all[conn]; e != nil {
		s.order.Remove(e)
		delete(s.all, conn)
	}
}
