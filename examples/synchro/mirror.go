package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/netasync/netasync"
)

// Mirror follows a master, and has a copy of its state. All methods may be called by many goroutines.
type Mirror struct {
	s       *netasync.Session
	o       MirrorOptions
	calls   chan *call // from Do
	abandon chan *call // from Do, when its context ends
	done    chan struct{}
	err     error // why it ended; set before done is closed

	// The goroutine run owns these.
	pending   map[uint64]*call // by number: those that are asked, and not answered
	queue     [][]byte         // messages that wait for room in the session's channel
	following bool             // the snapshot of this connection has come
	seq       uint64           // of the last command
	number    uint64           // of this mirror, by its ticket

	mu      sync.Mutex // guards all below
	replica replica
	ticket  string

	outages, snapshots atomic.Int64
}

// MirrorOptions configure a Mirror. The zero value works.
type MirrorOptions struct {
	// Connect are the options of its session. Hello is the mirror's own.
	Connect netasync.ConnectOptions
	// OnChange, if not nil, is called with each new state that the mirror comes to, in order, and with
	// the delta that has led there, or nil for a snapshot. It must be quick: the mirror waits for it.
	// The state is valid until it returns.
	OnChange func(State, *Delta)
	// OnEvent, if not nil, is told of the session's Connected, Disconnected and Closed.
	OnEvent func(netasync.Event)
}

// call is a command under way.
type call struct {
	command Command
	seq     uint64
	answer  *answer    // the state that it speaks of has not come so far; nil if there is none
	done    chan error // has room for the one error that comes
}

// window is how many commands may be under way. Do waits for room.
const window = 128

var (
	// ErrLost says that a command may have been executed, once, or not: nobody knows any more. Without
	// it, an error says that it was not executed, and will not be.
	ErrLost = errors.New("the command may have been executed, or not")
	// ErrClosed says that the mirror has ended.
	ErrClosed = errors.New("the mirror is closed")
)

// NewMirror returns a mirror of the master at an address, which may come later.
func NewMirror(engine *netasync.Engine, addr string, o MirrorOptions) (*Mirror, error) {
	m := &Mirror{
		o:       o,
		calls:   make(chan *call),
		abandon: make(chan *call, window),
		done:    make(chan struct{}),
		pending: make(map[uint64]*call),
		replica: newReplica(),
	}
	m.o.Connect.Hello = func(uint64) [][]byte { return [][]byte{m.follow()} }
	var err error
	if m.s, err = engine.Connect(addr, m.o.Connect); err != nil {
		return nil, err
	}
	go m.run()
	return m, nil
}

// Do has the master execute a command, once. It returns nil when that is done and State has it, and an
// error that wraps ErrRefused when the master has refused it, and State is one by which it did. It waits
// across outages, until ctx ends.
func (m *Mirror) Do(ctx context.Context, c Command) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p := &call{command: c, done: make(chan error, 1)}
	select {
	case m.calls <- p:
	case <-ctx.Done():
		return ctx.Err()
	case <-m.done:
		return ErrClosed
	}
	select {
	case err := <-p.done:
		return err
	case <-ctx.Done():
	}
	select {
	case m.abandon <- p:
	case <-m.done:
	}
	select {
	case err := <-p.done: // just in time
		return err
	default:
		return fmt.Errorf("%w: %w", ErrLost, ctx.Err())
	}
}

// State returns a copy of the state. Before the first snapshot, it has no life.
func (m *Mirror) State() State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.replica.state.clone()
}

// Close ends the mirror, and waits for that: it says goodbye to the master, for up to Linger. Commands
// under way are lost, see ErrLost.
func (m *Mirror) Close() {
	_ = m.s.Close()
	<-m.done
}

// Done is closed when the mirror has ended: after Close, or because its master speaks nonsense. Err says
// why, then.
func (m *Mirror) Done() <-chan struct{} { return m.done }

// Err returns why the mirror has ended, nil after Close.
func (m *Mirror) Err() error {
	<-m.done
	return m.err
}

// follow is the first message of each connection, and asks for a snapshot at other times.
func (m *Mirror) follow() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return message{Follow: &follow{Ticket: m.ticket}}.encode()
}
