package session

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files")

// wholeConn and brokenConn stand for any connection that can be written to, or cannot any more.
var wholeConn, brokenConn = &Conn{}, &Conn{writeErr: errCut}

func connName(c *Conn) string {
	return map[*Conn]string{nil: "none", wholeConn: "whole", brokenConn: "broken"}[c]
}

var phases = []string{"open", "ending", "emptying", "sealed", "goodbye"}

// allLives calls f with every combination of the facts that next looks at.
func allLives(f func(l life)) {
	bools := []bool{false, true}
	for state := StateConnecting; state <= StateClosed; state++ {
		for p := open; p <= goodbye; p++ {
			for _, abort := range bools {
				for _, conn := range []*Conn{nil, wholeConn, brokenConn} {
					for _, writing := range bools {
						for _, left := range []leftover{none, toWrite, toAwait} {
							for _, hope := range bools {
								f(life{state: state, phase: p, abort: abort, conn: conn, writing: writing, left: left, hope: hope})
							}
						}
					}
				}
			}
		}
	}
}

// Every answer of next is in the golden file: a change of the rule shows as a change of the table.
// Answers in brackets are those to facts that cannot be: the model below never meets them.
func TestNextTable(t *testing.T) {
	met := newModel(t).explore()
	var b strings.Builder
	head := []string{"", "writing", "to write", "writing, to write", "to await", "writing, to await"}
	fmt.Fprintf(&b, "%-45s", "state, phase, abort, connection, hope")
	for _, h := range head {
		fmt.Fprintf(&b, " | %-16s", h)
	}
	count, row := 0, ""
	cells := map[string][]string{}
	var rows []string
	allLives(func(l life) {
		count++
		row = fmt.Sprintf("%-12v %-8s %-5v %-6s %-5v", l.state, phases[l.phase], l.abort, connName(l.conn), l.hope)
		if cells[row] == nil {
			cells[row] = make([]string, len(head))
			rows = append(rows, row)
		}
		cell := l.next().String()
		if !met[l] {
			cell = "(" + cell + ")"
		}
		column := 0
		if l.writing {
			column++
		}
		column += 2 * int(l.left)
		cells[row][column] = cell
	})
	require.Less(t, count, 1500)
	for _, row := range rows {
		fmt.Fprintf(&b, "\n%-45s", row)
		for _, cell := range cells[row] {
			fmt.Fprintf(&b, " | %-16s", cell)
		}
	}
	b.WriteString("\n")
	const golden = "testdata/next.golden"
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(b.String()), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String(), "run go test ./session -run TestNextTable -update and look at the difference")
}

// world is a life with what is around it and changes its facts. It is comparable.
type world struct {
	life
	dialed  bool
	pump    bool // a pump is at work on a write channel
	had     bool // there was a connection
	linger  bool // the linger timer runs
	refuses bool // messages are refused, and handed back, while there is no connection
	hello   bool // the writer waits for Hello

	resumes  bool // the session has Resume; then settle finds what is left by the following
	pending  bool // messages are to be written
	full     bool // they are not, as too many are kept
	unacked  bool // messages are to be acknowledged
	byeSaid  bool // we have said goodbye,
	byeHeard bool // and the peer has acknowledged it
	parted   bool // the peer has said goodbye
	owesBye  bool // a dialed session has said goodbye, and does not know whether that was heard

	finished bool // the peer of an accepted session has ended the stream, and may still read
}

// event is something that happens to a session.
type event struct {
	name string
	sure bool // it happens sooner or later, whatever the user and the peer do
	can  func(w *world) bool
	do   func(w *world)
	rest bool // it does not settle
}

func (w *world) refuse() {
	if w.phase == open {
		w.phase = ending
		w.hope = w.hope && w.dialed
	}
}

// queue is a message that is to be sent.
func (w *world) queue() {
	w.pending = w.resumes
	if !w.resumes {
		w.left = toWrite
	}
}

// whatIsLeft is as that of Session.
func (w *world) whatIsLeft() leftover {
	if !w.resumes {
		return w.left
	}
	says := w.begun() && w.phase >= sealed && !w.parted
	switch {
	case w.pending && !w.full, says && !w.byeSaid && !w.pending:
		return toWrite
	case w.pending, w.unacked, says && !w.byeHeard, w.conn == nil && w.owesBye:
		return toAwait
	}
	return none
}

// lose ends the connection.
func (w *world) lose() {
	w.hope = w.hope && (!w.parted || w.dialed)
	w.owesBye = w.owesBye && !w.parted
	w.pending = w.pending || w.unacked // what is kept is to be written again
	w.conn, w.full, w.byeSaid, w.byeHeard, w.parted = nil, false, false, false, false
}

// down is as Session.down.
func (w *world) down() bool { return w.refuses && (w.conn == nil || w.state != StateConnected) }

func (w *world) beginEnding() {
	if w.phase == open {
		w.refuse()
		w.linger = true
	}
}

func (w *world) abortNow() {
	if !w.abort && w.state != StateClosed {
		w.refuse()
		w.abort = true
	}
}

// events are all that can happen, each one of them done as the session does it.
var events = []event{
	{
		name: "a message is queued and left, as a cork does", rest: true,
		can: func(w *world) bool { return w.phase == open && w.state != StateClosed && !w.down() },
		do:  (*world).queue,
	}, {
		name: "a pump queues", rest: true,
		can: func(w *world) bool { return w.pump && w.phase <= emptying && !w.down() },
		do:  (*world).queue,
	}, {
		name: "the right to write is taken", rest: true,
		can: func(w *world) bool { return !w.writing && w.conn == wholeConn && w.state == StateConnected },
		do:  func(w *world) { w.writing = true },
	}, {
		name: "the writer has written all", sure: true,
		can: func(w *world) bool { return w.writing && w.conn == wholeConn && w.phase != goodbye && !w.parted },
		do: func(w *world) {
			w.writing, w.left, w.hello = false, none, false
			w.unacked, w.pending = w.unacked || w.pending, false
			if w.resumes && w.phase >= sealed {
				w.byeSaid, w.owesBye = true, w.dialed && !w.byeHeard
			}
		},
	}, {
		name: "the writer stops, as too much is kept", sure: true,
		can: func(w *world) bool {
			return w.resumes && w.pending && w.writing && w.conn == wholeConn && w.phase != goodbye && !w.parted
		},
		do: func(w *world) { w.writing, w.hello, w.full, w.unacked = false, false, true, true },
	}, {
		name: "the peer acknowledges all",
		can:  func(w *world) bool { return w.resumes && w.conn == wholeConn && (w.unacked || w.byeSaid) },
		do: func(w *world) {
			w.unacked, w.full = false, false
			w.byeHeard = w.byeSaid
			w.owesBye = w.owesBye && !w.byeHeard
		},
	}, {
		name: "the peer says goodbye, and a writer sees to it", rest: true,
		can: func(w *world) bool {
			return w.resumes && w.begun() && w.conn == wholeConn && w.phase != goodbye
		},
		do: func(w *world) { w.parted, w.writing = true, true },
	}, {
		name: "the farewell to a peer that has said goodbye is over", sure: true,
		can: func(w *world) bool { return w.parted && w.writing && w.conn == wholeConn && w.phase != goodbye },
		do: func(w *world) {
			w.writing, w.hello = false, false
			w.lose()
		},
	}, {
		name: "the peer comes with a newer connection",
		can: func(w *world) bool {
			return w.resumes && !w.dialed && w.begun() && w.phase == open
		},
		do: (*world).lose,
	}, {
		name: "a connection of a peer that comes back begins", rest: true,
		can: func(w *world) bool {
			return w.resumes && !w.dialed && w.state == StateDisconnected && w.phase == open
		},
		do: func(w *world) { w.to(StateConnecting) },
	}, {
		name: "and comes to nothing", rest: true,
		can: func(w *world) bool {
			return w.resumes && !w.dialed && w.state == StateConnecting && w.conn == nil && w.phase == open
		},
		do: func(w *world) { w.to(StateDisconnected) },
	}, {
		name: "the peer comes back and has all that is kept", rest: true,
		can: func(w *world) bool { return w.resumes && w.state == StateConnecting && w.conn == nil && w.unacked },
		do:  func(w *world) { w.unacked, w.pending = false, false },
	}, {
		name: "the window ends", sure: true,
		can: func(w *world) bool { return w.resumes && !w.dialed && w.state == StateDisconnected },
		do:  (*world).abortNow,
	}, {
		name: "the writer finds the connection broken",
		can:  func(w *world) bool { return w.writing && w.conn == wholeConn && w.phase != goodbye },
		do: func(w *world) {
			w.writing, w.hello, w.conn = false, false, brokenConn
			if w.finished { // no reader will find the end
				w.lose()
			}
		},
	}, {
		name: "the peer finishes, and may still read", rest: true,
		can: func(w *world) bool { return !w.dialed && !w.resumes && w.conn == wholeConn && w.phase < goodbye },
		do:  func(w *world) { w.finished, w.linger = true, true },
	}, {
		name: "the user has answered all",
		can:  func(w *world) bool { return w.finished && w.conn != nil && w.left == none && !w.writing },
		do:   (*world).beginEnding,
	}, {
		name: "the writer finds the connection gone", sure: true,
		can: func(w *world) bool { return w.writing && w.conn == nil },
		do:  func(w *world) { w.writing, w.hello = false, false },
	}, {
		name: "Hello returns what cannot be sent",
		can:  func(w *world) bool { return w.hello && w.conn == wholeConn },
		do: func(w *world) {
			w.writing, w.hello = false, false
			w.lose()
		},
	}, {
		name: "the reader finds the end",
		can:  func(w *world) bool { return w.conn != nil },
		do: func(w *world) {
			if w.trial() && w.dialable() {
				w.to(StateDisconnected)
			}
			w.lose()
		},
	}, {
		name: "the reader finds the end of a broken connection", sure: true,
		can: func(w *world) bool { return w.conn == brokenConn },
		do:  (*world).lose,
	}, {
		name: "goodbye is said", sure: true,
		can: func(w *world) bool { return w.phase == goodbye && w.writing },
		do: func(w *world) {
			w.writing = false
			w.lose()
		},
	}, {
		name: "Close",
		can:  func(w *world) bool { return w.state != StateClosed },
		do:   (*world).beginEnding,
	}, {
		name: "CloseNow, or a dialer gives up",
		can:  func(w *world) bool { return w.state != StateClosed },
		do:   (*world).abortNow,
	}, {
		name: "Linger ends", sure: true,
		can: func(w *world) bool { return w.linger && w.phase != goodbye && w.state != StateClosed },
		do:  (*world).abortNow,
	}, {
		name: "the user closes the write channel",
		can:  func(w *world) bool { return w.pump && w.phase < sealed },
		do: func(w *world) {
			w.beginEnding()
			w.phase, w.pump = max(w.phase, sealed), false
		},
	}, {
		name: "the pump has emptied the write channel", sure: true,
		can: func(w *world) bool { return w.pump && w.phase == emptying },
		do:  func(w *world) { w.phase, w.pump = max(w.phase, sealed), false },
	}, {
		name: "an attempt to connect begins", rest: true,
		can: func(w *world) bool { return w.dialed && w.state == StateDisconnected && w.dialable() },
		do:  func(w *world) { w.to(StateConnecting) },
	}, {
		name: "an attempt to connect fails", rest: true,
		can: func(w *world) bool {
			return w.dialed && w.state == StateConnecting && w.conn == nil && w.dialable()
		},
		do: func(w *world) { w.to(StateDisconnected) },
	}, {
		name: "a trial is attached",
		can:  func(w *world) bool { return w.attachable() && w.dialed },
		do:   func(w *world) { w.conn, w.had = wholeConn, true },
	}, {
		name: "the peer of a trial is heard",
		can:  (*world).trial,
		do:   func(w *world) { w.to(StateConnected) },
	}, {
		name: "the peer of a trial is heard, and Hello is asked",
		can:  (*world).trial,
		do: func(w *world) {
			w.to(StateConnected)
			w.writing, w.hello = true, true
		},
	}, {
		name: "a connection is attached, and Hello is asked",
		can:  func(w *world) bool { return w.attachable() && w.dialed },
		do: func(w *world) {
			w.to(StateConnected)
			w.conn, w.had = wholeConn, true
			w.writing, w.hello = true, true
		},
	}, {
		name: "a connection is attached",
		can:  func(w *world) bool { return w.attachable() && (w.dialed || w.resumes || !w.had) },
		do: func(w *world) {
			w.to(StateConnected)
			w.conn, w.had = wholeConn, true
		},
	},
}

// model explores all lives of all sessions.
type model struct {
	t     *testing.T
	met   map[life]bool // the facts that next was asked about
	seen  map[world]bool
	todo  []world
	steps int // the most that one settle took
}

func newModel(t *testing.T) *model {
	return &model{t: t, met: map[life]bool{}, seen: map[world]bool{}}
}

// settle does as Session.settle, and holds what comes out against what must be so.
func (m *model) settle(w *world) {
	for n := 0; ; n++ {
		w.left = w.whatIsLeft()
		m.met[w.life] = true
		st := w.next()
		if st == nothing {
			m.steps = max(m.steps, n)
			break
		}
		require.Less(m.t, n, 10, "no rest: %+v", *w)
		switch st {
		case emptyWriteChan:
			w.refuse()
		case write, sayGoodbye:
			require.Equal(m.t, wholeConn, w.conn)
			require.False(m.t, w.writing)
			require.False(m.t, st == sayGoodbye && (w.pending || w.unacked), "the peer may not have all: %+v", *w)
		case outage:
			require.True(m.t, w.dialed || w.resumes, "an accepted session does not come back")
		case end:
			require.False(m.t, w.writing)
			require.Nil(m.t, w.conn)
			require.True(m.t, w.abort || w.left == none || !w.dialed, "messages are thrown away: %+v", *w)
			require.False(m.t, w.writing)
			require.False(m.t, w.pump, "the write channel may still hold messages")
		}
		if st == cut {
			w.lose()
		}
		w.apply(st, w.pump)
		if st == outage && w.refuses {
			w.left, w.pending = none, w.unacked // handed back
		}
	}
	require.False(m.t, w.hello && !w.writing, "something may go before Hello: %+v", *w)
	require.False(m.t, w.refuses && w.left != none && w.state == StateDisconnected, "messages wait: %+v", *w)
	require.False(m.t, w.conn == wholeConn && w.left == toWrite && !w.writing && w.phase != emptying && !w.trial(),
		"messages wait for nobody: %+v", *w)
	require.False(m.t, w.state == StateConnected && w.conn == nil && !w.writing && w.phase != emptying,
		"a loss was not told: %+v", *w)
}

func (m *model) visit(w world) {
	if !m.seen[w] {
		m.seen[w] = true
		m.todo = append(m.todo, w)
	}
}

// after returns the world in which an event has happened.
func (m *model) after(w world, ev *event) world {
	ev.do(&w)
	if !ev.rest {
		m.settle(&w)
	}
	return w
}

// explore visits every world that any order of events leads to, and returns the facts met.
func (m *model) explore() map[life]bool {
	for _, dialed := range []bool{false, true} {
		for _, pump := range []bool{false, true} {
			m.visit(world{life: life{hope: dialed}, dialed: dialed, pump: pump})
			m.visit(world{life: life{hope: true}, dialed: dialed, pump: pump, resumes: true})
			if dialed {
				m.visit(world{life: life{hope: true}, dialed: true, pump: pump, refuses: true})
			}
		}
	}
	for len(m.todo) > 0 {
		w := m.todo[0]
		m.todo = m.todo[1:]
		for i := range events {
			if events[i].can(&w) {
				m.visit(m.after(w, &events[i]))
			}
		}
	}
	return m.met
}

// All orders of all events: next comes to rest within a few steps and breaks no promise; and a
// session that is to end does so by what happens for sure, in any order, whatever else does not.
func TestModelOfLife(t *testing.T) {
	m := newModel(t)
	m.explore()
	t.Logf("%d worlds, %d sets of facts, at most %d steps", len(m.seen), len(m.met), m.steps)
	require.LessOrEqual(t, m.steps, 4)

	known := map[world]bool{} // worlds that surely end
	var ends func(w world, path []string) bool
	ends = func(w world, path []string) bool {
		if w.state == StateClosed || known[w] {
			return true
		}
		require.Less(t, len(path), 12, "it does not end: %v", path)
		happened := false
		for i := range events {
			if ev := &events[i]; ev.sure && ev.can(&w) {
				happened = true
				if next := m.after(w, ev); next != w {
					require.True(t, ends(next, append(slices.Clone(path), ev.name)))
				}
			}
		}
		known[w] = happened
		require.True(t, happened, "nothing ends it: %+v", w)
		return true
	}
	for w := range m.seen {
		if w.phase != open || w.finished {
			ends(w, nil)
		}
	}
	closed := 0
	for w := range m.seen {
		if w.state == StateClosed {
			closed++
		}
	}
	require.Positive(t, closed)
}
