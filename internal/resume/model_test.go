package resume

import "fmt"

// What can happen.
const (
	opRead uint8 = iota // an end reads the next frame on a connection
	opCount
	opClaim
	opWelcome
	opAttach
	opNotice // an end notices that its connection has ended
	opWrite
	opAck
	opBye
	opDial
	calm // what follows is from outside, and costs of the budget

	opSend
	opCut  // one direction of a connection
	opDrop // an end gives up a connection that works
	opExpire
	opRestart
	opClose
	opLinger
	opLapse // an end is not what it was: it has lost count
	ops
)

// action is one thing that happens: to an end of a connection, or to the dialer's session (0) or one of
// the listener's.
type action struct {
	op  uint8
	c   ref
	end end
	r   ref
}

func (a action) String() string {
	who := [2]string{"dialer", "listener"}[a.end]
	switch a.op {
	case opRead, opCount, opAck, opNotice, opCut, opDrop:
		verb := map[uint8]string{
			opRead: "reads", opCount: "counts what was read", opAck: "acknowledges",
			opNotice: "notices the end", opCut: "is not reached any more", opDrop: "gives up",
		}
		return fmt.Sprintf("connection %d: %s %s", a.c, who, verb[a.op])
	case opClaim, opWelcome, opAttach:
		return fmt.Sprintf("connection %d: listener %s", a.c,
			map[uint8]string{opClaim: "claims", opWelcome: "welcomes", opAttach: "attaches"}[a.op])
	case opDial:
		return "dialer dials"
	case opRestart:
		return who + " restarts"
	}
	if a.r != 0 {
		who = fmt.Sprintf("session %d", a.r)
	}
	return who + map[uint8]string{
		opWrite: " writes a message", opSend: " accepts a message", opBye: " says Bye", opExpire: " expires",
		opClose: " is closed", opLinger: " has lingered", opLapse: " forgets",
	}[a.op]
}

// actions are all that could ever happen, in the order in which the calm ones are done at the end.
var actions = func() (all []action) {
	for op := range ops {
		switch op {
		case opRead, opCount, opNotice, opAck, opCut, opDrop:
			for c := ref(1); c <= maxConns; c++ {
				all = append(all, action{op: op, c: c, end: listening}, action{op: op, c: c, end: dialing})
			}
		case opClaim, opWelcome, opAttach:
			for c := ref(1); c <= maxConns; c++ {
				all = append(all, action{op: op, c: c, end: listening})
			}
		case opDial:
			all = append(all, action{op: op})
		case opRestart:
			all = append(all, action{op: op}, action{op: op, end: listening})
		default:
			for r := ref(0); r <= maxSessions; r++ {
				all = append(all, action{op: op, r: r})
			}
		}
	}
	return all
}()

// has reports whether what an action is about is there.
func (s *state) has(a action) bool {
	return (a.c == 0 || s.conns[a.c-1].used) && (a.r == 0 || s.sessions[a.r-1].live)
}

// do has an action happen to s. It reports false if it cannot; s is then of no use.
func (m *model) do(s *state, a action) bool {
	switch a.op {
	case opRead:
		if s.conns[a.c-1].at[a.end].phase == shut || s.conns[a.c-1].to[a.end].n == 0 {
			return false
		}
		if a.end == dialing {
			return m.readDialer(s, a.c)
		}
		return m.readListener(s, a.c)
	case opCount:
		return m.count(s, a.c, a.end)
	case opClaim:
		return m.claim(s, a.c)
	case opWelcome:
		return m.welcome(s, a.c)
	case opAttach:
		return m.attach(s, a.c)
	case opNotice:
		return s.lost(a.c, a.end) && m.drop(s, a.c, a.end)
	case opWrite:
		return m.writes(s, a.r)
	case opAck:
		return m.acks(s, a.c, a.end)
	case opBye:
		return s.bye(a.r)
	case opDial:
		return m.dial(s)
	}
	return m.disturb(s, a)
}

// disturb is do for what comes from outside.
func (m *model) disturb(s *state, a action) bool {
	switch a.op {
	case opSend:
		if a.r != 0 {
			t := &s.sessions[a.r-1]
			if t.closing || !spend(&s.left.listenerSends) {
				return false
			}
			t.send()
			return true
		}
		if s.dialer.ended || s.dialer.closing || !spend(&s.left.dialerSends) {
			return false
		}
		s.dialer.send()
		return true
	case opCut:
		k := &s.conns[a.c-1]
		if k.to[a.end].cut || !spend(&s.left.faults) {
			return false
		}
		k.to[a.end] = pipe{cut: true}
		return true
	case opDrop:
		return spend(&s.left.faults) && m.drop(s, a.c, a.end)
	case opRestart:
		s.ended, s.further = true, s.further+1
		if !spend(&s.left.restarts) {
			return false
		}
		if a.end == dialing {
			m.restartDialer(s)
		} else {
			m.restartListener(s)
		}
		return true
	case opExpire:
		return m.expire(s, a.r)
	case opClose:
		// One for the dialer's next nonce, one for an old Hello that comes late.
		s.ended, s.further = true, s.further+2
		return spend(&s.left.closes) && m.close(s, a.r)
	case opLinger:
		return a.r == 0 && spend(&s.left.faults) && m.linger(s)
	case opLapse:
		return spend(&s.left.lapses) && s.lapse(a.r)
	}
	return false
}

// spend takes one, if there is one.
func spend(n *uint8) bool {
	if *n == 0 {
		return false
	}
	*n--
	return true
}
