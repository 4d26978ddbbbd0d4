package resume

import "hash/maphash"

// The model of the two ends of a resumable session, and of the network between them. It is a value
// that can be copied, compared and hashed, so that all that can happen can be tried (explore_test.go,
// exactly_once_test.go). What the ends do is in model_dialer_test.go and model_listener_test.go, what
// both do in model_stream_test.go, and what must always be true in model_check_test.go. The model is
// asked whether it finds faults, too (mistakes_test.go).
//
// What is a promise to users is written down beside the ends, as what has happened: which message
// arrived. The ends do not see that.

// An end of a connection.
type end uint8

const (
	dialing end = iota
	listening
)

func (e end) other() end { return 1 - e }

const (
	maxConns    = 4
	maxFrames   = 4 // on the way in one direction
	maxSessions = 6 // that one listener, and those after its restarts, have ever begun
)

// kindData is what a message has in the place of the kind of a control frame.
const kindData = 'D'

// frame is one on the way. The zero value is none.
type frame struct {
	kind     byte
	goesOn   bool  // Continue of a Hello, Continued of a Welcome
	only     bool  // of a Hello
	useless  bool  // of a Hello: it is of no use to begin a session for it, whether it says so or not
	number   uint8 // of a Hello
	nonce    uint8 // of a Hello
	token    uint8 // of a Hello or a Welcome, 0 for none
	count    uint8 // Received, or Sent, or the code of a Refuse
	id       uint8 // of a message, from 1: its place among those that its sender accepted
	sentFrom ref   // of a message of a listener: its session
}

// pipe is one direction of a connection.
type pipe struct {
	frames [maxFrames]frame
	n      uint8
	cut    bool // what is written vanishes
}

// The phases of one end of a connection.
const (
	shut     uint8 = iota
	greeting       // the dialer has said Hello; the listener has not read it
	judged         // the listener carries a session on
	claimed        // the listener has taken the session for the connection
	welcomed       // the listener has written its Welcome
	attached
)

// side is what one end has of a connection.
type side struct {
	phase uint8
	told  uint8 // what the peer was told on this connection that was received
	bye   bool
	turn  frame // read, and not yet counted: a callback may be running. Before attached: the Hello

	// Of a listener in a handshake.
	session ref
	ours    uint8 // what the Welcome is to say
	goesOn  bool
}

type conn struct {
	used bool
	to   [2]pipe
	at   [2]side
}

// ref is the place of something in its array plus one; 0 is none.
type ref uint8

// stream is what an end has sent in a session, and received.
type stream struct {
	accepted uint8 // from the user, ever
	base     uint8 // accepted before the session's first
	sent     uint8 // numbered, in this session
	acked    uint8 // in this session
	written  uint8 // on this connection, and those before it that it goes on with
	received uint8 // in this session
	lost     uint8 // as users are told, of earlier sessions and at the end
	ackedOld uint8 // in earlier sessions
	queued   uint8 // as users are told at the end
	ended    bool  // closed, with lost and queued told
	excused  uint8 // accepted by a process that is no more
}

func (t *stream) kept() uint8    { return t.sent - t.acked }
func (t *stream) pending() uint8 { return t.accepted - t.base - t.sent }

// dialer is a dialed session, and the process around it.
type dialer struct {
	stream
	nonce, number, token uint8
	conn                 ref
	closing              bool
	arrived              uint8 // bits by id: which of its messages arrived at any session of the listener
}

// accepted is one session of the listener.
type accepted struct {
	stream
	live                 bool
	nonce, number, token uint8
	heard                bool
	conn, claim          ref
	closing              bool
	arrived              uint8    // bits by id: which of its messages arrived at the dialer
	last                 [2]uint8 // the id of the last message that arrived at either end
}

// budget is what may still happen from outside.
type budget struct {
	dials, faults, restarts, expiries, closes, lapses uint8
	dialerSends, listenerSends                        uint8
}

type state struct {
	dialer   dialer
	sessions [maxSessions]accepted
	begun    uint8 // how many sessions
	tokens   uint8 // how many were made
	nonces   uint8
	ended    bool  // a process, a window or a session has: messages may be lost
	further  uint8 // sessions that there may be for that, beside the first
	conns    [maxConns]conn
	left     budget
}

var seed = maphash.MakeSeed()

func (s *state) hash() uint64 { return maphash.Comparable(seed, *s) }

// room reports whether a frame can be written to e: what is lost needs no room.
func (s *state) room(c ref, e end, n uint8) bool {
	p := &s.conns[c-1].to[e]
	return p.cut || s.conns[c-1].at[e].phase == shut || p.n+n <= maxFrames
}

// write writes a frame to e.
func (s *state) write(c ref, e end, f frame) {
	k := &s.conns[c-1]
	p := &k.to[e]
	if p.cut || k.at[e].phase == shut {
		return
	}
	p.frames[p.n] = f
	p.n++
}

// take takes the first frame that is on the way to e.
func (s *state) take(c ref, e end) frame {
	p := &s.conns[c-1].to[e]
	f := p.frames[0]
	p.n--
	copy(p.frames[:], p.frames[1:])
	p.frames[maxFrames-1] = frame{}
	return f
}

// shut closes e's end. What is on the way to e is thrown away; what e has written may still arrive.
func (m *model) shut(s *state, c ref, e end) {
	k := &s.conns[c-1]
	turn := k.at[e].turn
	if !m.rules.countsOn || k.at[e].phase < attached {
		turn = frame{} // it will see that it was stopped
	}
	session := k.at[e].session
	k.at[e] = side{turn: turn}
	if turn.kind != 0 {
		k.at[e].session = session
	}
	k.to[e] = pipe{cut: k.to[e].cut}
	s.tidy(c)
}

// tidy makes room for another connection when both ends are shut.
func (s *state) tidy(c ref) {
	k := &s.conns[c-1]
	if k.at[0].phase == shut && k.at[1].phase == shut && k.at[0].turn.kind == 0 && k.at[1].turn.kind == 0 {
		*k = conn{}
	}
}

// free returns a place for a connection, 0 if there is none.
func (s *state) free() ref {
	for i := range s.conns {
		if !s.conns[i].used {
			return ref(i + 1)
		}
	}
	return 0
}
