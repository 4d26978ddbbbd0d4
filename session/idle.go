package session

import (
	"slices"
	"sync"
	"time"
)

// idleAfter is for how long at least nothing came through a write channel
// whose own goroutine ends: it is waited for in a group from then on.
const idleAfter = time.Second

// groupSize is how many write channels one goroutine waits for. A select costs
// in proportion to its cases, and more would hardly save memory.
const groupSize = 24

// idleChans are the write channels of a host through which nothing comes at the
// moment. A goroutine each would be most of what an idle session costs. The
// zero value is ready for use.
//
// Lock order: Session.mu, then mu.
type idleChans struct {
	mu   sync.Mutex   // guards open, and the fields of groups that say so
	open []*idleGroup // which have room
}

// idleGroup is up to groupSize sessions with one goroutine, which ends with the last of them.
type idleGroup struct {
	all  *idleChans
	wake chan struct{} // one slot: there are moves

	// idleChans.mu guards these.
	members int // who have joined and not left
	moves   []move

	// The goroutine's own.
	sessions [groupSize]*Session
	chans    [groupSize]chan []byte // nil where there is no session
}

// move is a session that joins a group, or is to leave it.
type move struct {
	s     *Session
	leave bool
}

// join has the session's write channel waited for in a group. The caller holds
// Session.mu, and is done with the channel.
func (all *idleChans) join(s *Session) *idleGroup {
	all.mu.Lock()
	defer all.mu.Unlock()
	if len(all.open) == 0 {
		g := &idleGroup{all: all, wake: make(chan struct{}, 1)}
		all.open = append(all.open, g)
		go g.run()
	}
	g := all.open[len(all.open)-1]
	if g.members++; g.members == groupSize {
		all.open = all.open[:len(all.open)-1]
	}
	g.announce(move{s: s})
	return g
}

// dismiss has the session leave the group, if it is still there, and start its own
// goroutine. The caller holds Session.mu.
func (g *idleGroup) dismiss(s *Session) {
	g.all.mu.Lock()
	defer g.all.mu.Unlock()
	g.announce(move{s: s, leave: true})
}

// announce tells the goroutine of a move. The caller holds idleChans.mu.
func (g *idleGroup) announce(m move) {
	g.moves = append(g.moves, m)
	select {
	case g.wake <- struct{}{}:
	default: // it will look
	}
}

// run brings a message now and then to its session itself; one that has more to
// say, or has to wait, goes on with a goroutine of its own.
func (g *idleGroup) run() {
	for ended := false; !ended; {
		var m []byte
		open, i := true, 0
		c := &g.chans
		select {
		case <-g.wake:
			ended = g.move()
			continue
		case m, open = <-c[0]:
		case m, open = <-c[1]:
			i = 1
		case m, open = <-c[2]:
			i = 2
		case m, open = <-c[3]:
			i = 3
		case m, open = <-c[4]:
			i = 4
		case m, open = <-c[5]:
			i = 5
		case m, open = <-c[6]:
			i = 6
		case m, open = <-c[7]:
			i = 7
		case m, open = <-c[8]:
			i = 8
		case m, open = <-c[9]:
			i = 9
		case m, open = <-c[10]:
			i = 10
		case m, open = <-c[11]:
			i = 11
		case m, open = <-c[12]:
			i = 12
		case m, open = <-c[13]:
			i = 13
		case m, open = <-c[14]:
			i = 14
		case m, open = <-c[15]:
			i = 15
		case m, open = <-c[16]:
			i = 16
		case m, open = <-c[17]:
			i = 17
		case m, open = <-c[18]:
			i = 18
		case m, open = <-c[19]:
			i = 19
		case m, open = <-c[20]:
			i = 20
		case m, open = <-c[21]:
			i = 21
		case m, open = <-c[22]:
			i = 22
		case m, open = <-c[23]:
			i = 23
		}
		if s := g.sessions[i]; !open || !s.sendOne(m) {
			ended = g.remove(i)
			go s.resumeWrites(m, open)
		}
	}
}

// move lets in who has joined and sends away who is to leave. It reports whether the group
// has ended.
func (g *idleGroup) move() (ended bool) {
	g.all.mu.Lock()
	moves := g.moves
	g.moves = nil
	g.all.mu.Unlock()
	for _, m := range moves {
		who := m.s
		if !m.leave {
			who = nil // a free place
		}
		for i, s := range g.sessions {
			if s != who {
				continue
			}
			if m.leave {
				ended = g.remove(i)
				go s.pumpWrites()
			} else {
				g.sessions[i], g.chans[i] = m.s, m.s.w.c
			}
			break
		}
	}
	return ended
}

// remove takes a session out, and reports whether it was the last.
func (g *idleGroup) remove(i int) (last bool) {
	g.sessions[i], g.chans[i] = nil, nil
	all := g.all
	all.mu.Lock()
	defer all.mu.Unlock()
	if g.members == groupSize {
		all.open = append(all.open, g)
	}
	if g.members--; g.members > 0 {
		return false
	}
	all.open = slices.DeleteFunc(all.open, func(other *idleGroup) bool { return other == g })
	return true
}
