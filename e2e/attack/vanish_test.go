//go:build linux

package attack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// mode is what a client does when its cable is pulled. It is also its name for the witness: one of
// each for a server by TCP, and one by TLS.
type mode byte

const (
	idleMode mode = iota // both ends have nothing to say
	busyMode             // both talk
	heldMode             // the other end talks, and our user does not read
	modes
)

func (m mode) String() string { return []string{"idle", "busy", "held back"}[m] }

// traveller is a client whose cable is pulled.
type traveller struct {
	mode
	tls  bool
	out  talker
	s    *netasync.Session
	wake chan struct{} // closed when the user reads; one that is not held back reads at once
	over chan struct{} // closed behind Closed

	// The reader's, up to over.
	in      sequence
	outages []error
	err     error
}

// depart connects a client, which talks to a witness.
func depart(t *testing.T, e *netasync.Engine, m mode, addr string, p *papers) *traveller {
	t.Helper()
	v := &traveller{
		mode: m, tls: p != nil, out: talker{stream: byte(m)}, wake: make(chan struct{}), over: make(chan struct{}),
	}
	var err error
	v.s, err = e.Connect(addr, netasync.ConnectOptions{
		ReadBuffer: netasync.Fixed(16), HeartbeatPeriod: calm, HeartbeatTimeout: calmTimeout, TLS: p.config(),
		Backoff: netasync.FixedDelay(20 * time.Millisecond), DialTimeout: timeout,
	})
	require.NoError(t, err)
	require.NoError(t, v.out.say(testkit.Context(t), v.s))
	if m != heldMode {
		close(v.wake)
	}
	go v.read()
	return v
}

// read takes all events. On each connection but the first it says who it is, for the witness knows
// it by its first message.
func (v *traveller) read() {
	defer close(v.over)
	<-v.wake
	for {
		ev, err := v.s.Recv(context.Background())
		if err != nil {
			if !errors.Is(err, io.EOF) {
				v.err = err
			}
			return
		}
		switch ev.Kind {
		case netasync.Connected:
			if v.mode != busyMode && ev.Epoch > 1 {
				_ = v.out.say(context.Background(), v.s)
			}
		case netasync.Disconnected:
			v.outages = append(v.outages, ev.Err)
		case netasync.Message:
			if err := v.in.take(ev.Payload); err != nil && v.err == nil {
				v.err = err
			}
		}
	}
}

func (v *traveller) String() string {
	if v.tls {
		return v.mode.String() + ", TLS"
	}
	return v.mode.String()
}

// noticeWithin is how long it may take, after HeartbeatTimeout and a period, until a session knows
// that its peer has gone: what a busy machine takes, and TCP, which is asked while we hold back.
const noticeWithin = 5 * time.Second

// The cable is pulled while both ends are idle, while both talk, and while the other end talks and
// our user does not read, by TCP and by TLS. Every session notices in time, at both ends, and
// dials again until the cable is back. Then all talk again: nothing was doubled, nothing is out of
// order, and the accounts add up.
func TestCableIsPulled(t *testing.T) {
	t.Parallel()
	c := testkit.LayCable(t)
	ours, honest, _ := issue(t)
	e, err := netasync.NewEngine(netasync.EngineOptions{})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
		defer cancel()
		_ = e.Shutdown(ctx) // arrive has done so, unless the test failed
	})

	var witnesses []*process
	var all []*traveller
	for _, at := range []role{{}, {TLS: ours}} {
		at.Play, at.Addr = "witness", c.Other+":0"
		w := startBy(t, c.Command(), at)
		witnesses = append(witnesses, w)
		addr, client := w.hears(t, "ready"), (*papers)(nil)
		if at.TLS != nil {
			client = honest
		}
		for m := range modes {
			all = append(all, depart(t, e, m, addr, client))
		}
	}
	talking, hush := context.WithCancel(t.Context())
	defer hush()
	talked := make(chan struct{})
	busy := 0
	for _, v := range all {
		if v.mode == busyMode {
			busy++
			go func() { v.out.chat(talking, v.s); talked <- struct{}{} }()
		}
	}
	for _, v := range all {
		testkit.Eventually(t, func() bool { return v.settled(1) }, "%v: talks", v)
	}
	// A peer that is held back is no dead one: nothing happens.
	time.Sleep(2 * calmTimeout)
	for _, v := range all {
		require.EqualValues(t, 1, v.s.Stats().Epoch, "%v", v)
		require.Equal(t, netasync.StateConnected, v.s.State(), "%v", v)
	}

	c.Pull(t)
	notice(t, all, time.Now())
	for _, w := range witnesses {
		for range modes {
			t.Logf("the other end: %s", w.hears(t, "closed"))
		}
	}
	c.Plug(t)
	back := time.Now()
	for _, v := range all {
		testkit.Eventually(t, func() bool { return v.s.State() == netasync.StateConnected }, "%v: is back", v)
	}
	t.Logf("all are back %v after the cable", time.Since(back))
	for _, v := range all {
		if v.mode == heldMode {
			close(v.wake)
		}
		before := v.s.Stats().Received
		testkit.Eventually(t, func() bool { return v.s.Stats().Received > before || v.settled(2) }, "%v: talks again", v)
	}
	hush()
	for range busy {
		<-talked
	}
	arrive(t, e, all, witnesses)
}

// settled reports whether the session is where its mode wants it on its n-th connection.
func (v *traveller) settled(n uint64) bool {
	st := v.s.Stats()
	switch v.mode {
	case heldMode:
		return st.Epoch == n && st.Unread >= 16
	case busyMode:
		return st.Epoch == n && st.Received > 100 && st.Sent > 100
	default:
		return st.Epoch == n && st.Received >= n
	}
}

// notice waits until all sessions have noticed what happened at a time.
func notice(t *testing.T, all []*traveller, since time.Time) {
	t.Helper()
	bound := calmTimeout + calm + noticeWithin
	missing := len(all)
	for noticed := make(map[*traveller]bool); missing > 0; time.Sleep(time.Millisecond) {
		for _, v := range all {
			if !noticed[v] && v.s.State() != netasync.StateConnected {
				noticed[v] = true
				missing--
				t.Logf("%v: noticed after %v", v, time.Since(since))
			}
			if !noticed[v] && time.Since(since) > bound {
				require.Fail(t, "not noticed", "%v: %+v", v, v.s.Stats())
			}
		}
	}
}

// arrive closes all sessions, and compares what both ends know.
func arrive(t *testing.T, e *netasync.Engine, all []*traveller, witnesses []*process) {
	t.Helper()
	for _, v := range all {
		require.NoError(t, v.s.Close())
	}
	for _, v := range all {
		testkit.Ended(t, v.over)
		assert.NoError(t, v.err, "%v", v)
		assert.NotEmpty(t, v.outages, "%v", v)
		st := v.s.Stats()
		assert.Equal(t, v.out.said.Load(), st.Sent+uint64(st.Queued), "%v: accepted messages were sent or are queued: %+v", v, st)
		assert.Zero(t, st.Dropped+st.Discarded, "%v", v)
		if v.mode != heldMode {
			assert.Equal(t, st.Received, v.in.got, "%v: what was received was read: %+v", v, st)
		}
	}
	require.NoError(t, e.Shutdown(testkit.Context(t)))
	for i, w := range witnesses {
		require.NoError(t, w.stdin.Close())
		for range modes {
			who, got, _ := strings.Cut(w.hears(t, "got"), " ")
			m, err := strconv.Atoi(who)
			require.NoError(t, err)
			n, err := strconv.ParseUint(got, 10, 64)
			require.NoError(t, err)
			v := all[i*int(modes)+m]
			st := v.s.Stats()
			assert.LessOrEqual(t, n, st.Sent, "%v: no more was got than was sent", v)
			t.Logf("%v: %d sent, %d got; %d came back; %v", v, st.Sent, n, v.in.got, fmt.Sprint(v.outages))
		}
		w.hears(t, "end")
	}
}
