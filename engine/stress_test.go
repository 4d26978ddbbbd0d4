package engine

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/session"
)

// The hand-over between loop and stream on real sockets, with everything at random: how a peer writes,
// reads and ends, how the consumer takes, answers and ends. It is for the orders within functions that
// TestHandOverInEveryOrder leaves to chance, so it is best run with the race detector.
//
// GOMAXPROCS belongs to the process: no test of this package may run in parallel with this one.
func TestHandOverUnderStress(t *testing.T) {
	seed := rand.Uint64()
	for _, procs := range []int{1, 2, 8} {
		t.Run(fmt.Sprintf("GOMAXPROCS %d", procs), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
			leftovers := testkit.StartedSince()
			t.Logf("seed %d", seed)
			stress(t, seed)
			testkit.NothingLeft(t, leftovers)
		})
	}
}

var errThrownOut = errors.New("thrown out by the test")

// stressed is how many sessions a stress has, of which some are there at once.
const (
	stressed     = 60
	stressedOnce = 12
)

func stress(t *testing.T, seed uint64) {
	e, err := NewEngine(EngineOptions{Loops: 2})
	require.NoError(t, err)
	e.host.hold = holdTime{min: 100 * time.Microsecond, max: time.Millisecond}
	ln, err := e.Listen("127.0.0.1:0", ListenOptions{
		ReadBuffer: session.Fixed(4), WriteBuffer: session.Fixed(4), NoGreeting: true, Linger: testkit.Patience,
	})
	require.NoError(t, err)
	var all sync.WaitGroup
	places := make(chan struct{}, stressedOnce)
	for i := range uint64(stressed) {
		places <- struct{}{}
		raw := dialForLong(t, ln.Addr())
		s := testkit.Take(t, ln.AcceptChan())
		all.Go(func() {
			defer func() { <-places }()
			d := &duel{t: t, s: s, raw: raw, script: newScript(rand.New(rand.NewPCG(seed, i)))}
			d.run()
		})
	}
	all.Wait()
	moved := e.Stats()
	require.NoError(t, e.Shutdown(testkit.Context(t)))
	t.Logf("%d moves off the loops, %d back", moved.Left, moved.Returned)
	require.NotZero(t, moved.Left)
	require.NotZero(t, moved.Returned)
}

// ending is how a duel ends.
type ending int

const (
	peerFinishes ending = iota // half-closes when all is written
	peerCloses                 // with answers on the way, so by a reset perhaps
	peerResets
	userCloses
	userCloseNow
	endings
)

// script is what will happen at random in a duel.
type script struct {
	seed     [2]uint64
	messages int // that the peer writes
	end      ending
	until    int // messages taken when the user ends it
	answers  int // one in so many messages is answered
	slow     int // one in so many is followed by a pause
}

func newScript(r *rand.Rand) script {
	s := script{
		seed: [2]uint64{r.Uint64(), r.Uint64()}, messages: 50 + r.IntN(400), end: ending(r.IntN(int(endings))),
		answers: 1 + r.IntN(5), slow: 5 + r.IntN(40),
	}
	s.until = r.IntN(s.messages)
	return s
}

// rand returns chance for one of the goroutines of a duel.
func (s *script) rand(who uint64) *rand.Rand { return rand.New(rand.NewPCG(s.seed[0]+who, s.seed[1])) }

// duel is a session and its peer.
type duel struct {
	script
	t   *testing.T
	s   *session.Session
	raw *net.TCPConn

	answered int // by the session
	got      testkit.Sequence
}

func (d *duel) run() {
	var peer sync.WaitGroup
	peer.Go(d.write)
	peer.Go(d.read)
	took, end := d.consume()
	if err := d.expected(end); err != nil {
		d.t.Errorf("%v: %+v", err, d.script)
	}
	if d.end == peerFinishes && took != d.messages {
		d.t.Errorf("%d of %d messages came before the end: %+v", took, d.messages, d.script)
	}
	if d.end != peerFinishes && d.end != userCloses { // others close by themselves
		_ = d.raw.Close()
	}
	peer.Wait()
	_ = d.raw.Close()
	if d.end == userCloses && d.got.Next() != d.answered {
		d.t.Errorf("%d of %d answers came before the end: %+v", d.got.Next(), d.answered, d.script)
	}
	testkit.Ended(d.t, d.s.Done())
}

// expected returns what is wrong with the error of Closed.
func (d *duel) expected(end error) error {
	right := true
	switch d.end {
	case peerFinishes:
		right = errors.Is(end, io.EOF)
	case userCloses:
		right = end == nil
	case userCloseNow:
		right = errors.Is(end, errThrownOut)
	}
	if !right {
		return fmt.Errorf("closed by %w", end)
	}
	return nil
}

// write has the peer write all messages in pieces, and end as the script says.
func (d *duel) write() {
	r := d.rand(1)
	var wire bytes.Buffer
	for i := range d.messages {
		wire.Write(testkit.Frames(testkit.Numbered(i, 8+r.IntN(2000))))
	}
	for wire.Len() > 0 {
		if _, err := d.raw.Write(wire.Next(1 + r.IntN(20_000))); err != nil {
			return // the session has ended
		}
		if r.IntN(4) == 0 {
			time.Sleep(time.Duration(r.IntN(2000)) * time.Microsecond)
		}
	}
	switch d.end {
	case peerFinishes:
		_ = d.raw.CloseWrite()
	case peerCloses:
		_ = d.raw.Close()
	case peerResets:
		_ = d.raw.SetLinger(0)
		_ = d.raw.Close()
	}
}

// read has the peer read the answers, now and then slowly.
func (d *duel) read() {
	r, in := d.rand(2), bufio.NewReader(d.raw)
	for {
		m, err := testkit.ReadMessage(in)
		if err != nil {
			return
		}
		if err := d.got.Take(m); err != nil {
			d.t.Errorf("answers: %v: %+v", err, d.script)
		}
		if r.IntN(d.slow) == 0 {
			time.Sleep(time.Duration(r.IntN(2000)) * time.Microsecond)
		}
	}
}

// consume takes events up to Closed, answers some, and ends the session if the script says so.
func (d *duel) consume() (took int, end error) {
	r := d.rand(3)
	var sequence testkit.Sequence
	for {
		ev, err := d.s.Recv(testkit.Context(d.t))
		if err != nil {
			d.t.Errorf("no event: %v, %v, %+v: %+v", err, d.s.State(), d.s.Stats(), d.script)
			return sequence.Next(), err
		}
		switch ev.Kind {
		case session.Closed:
			return sequence.Next(), ev.Err
		case session.Message:
			if err := sequence.Take(ev.Payload); err != nil {
				d.t.Errorf("messages: %v: %+v", err, d.script)
			}
			d.answer(r)
		}
		if r.IntN(d.slow) == 0 {
			time.Sleep(time.Duration(r.IntN(3000)) * time.Microsecond)
		}
		if sequence.Next() == d.until {
			d.endByUser()
		}
	}
}

// answer answers some messages.
func (d *duel) answer(r *rand.Rand) {
	if r.IntN(d.answers) > 0 {
		return
	}
	if d.s.Send(context.Background(), testkit.Numbered(d.answered, 8+r.IntN(10_000))) == nil {
		d.answered++
	}
}

func (d *duel) endByUser() {
	switch d.end {
	case userCloses:
		_ = d.s.Close()
	case userCloseNow:
		d.s.CloseNow(errThrownOut)
	}
}
