package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/reconnect"
	"github.com/netasync/netasync/session"
)

// numbers are all numeric options, as the fuzzer can change them.
type numbers struct {
	period, timeout, linger, dial, handshake   int64
	readCap, readBytes, writeCap, writeBytes   int64
	maxPayload, width                          int64
	initial, most                              int64
	factor, jitter                             float64
	accept, sessions, perAddr, pending, trials int64
	loops                                      int64
	policies, flags                            byte
}

// FuzzOptions gives any numbers as options: that is an error that names a field, or a session which
// carries a message there and back and ends when it is closed. It never panics and never hangs.
func FuzzOptions(f *testing.F) {
	add := func(n numbers) {
		f.Add(n.period, n.timeout, n.linger, n.dial, n.handshake, n.readCap, n.readBytes, n.writeCap, n.writeBytes,
			n.maxPayload, n.width, n.initial, n.most, n.factor, n.jitter, n.accept, n.sessions, n.perAddr, n.pending,
			n.trials, n.loops, n.policies, n.flags)
	}
	for policies := range byte(9) {
		for flags := range byte(64) {
			if int(flags)%9 == int(policies) {
				add(numbers{policies: policies, flags: flags})
			}
		}
	}
	for _, v := range []int64{-1, 1, math.MaxInt64, math.MaxInt64 / 2, math.MinInt64, math.MaxInt32, math.MaxInt32 + 1} {
		for i := range 19 {
			var all [19]int64
			all[i] = v
			add(numbersOf(all))
		}
	}
	add(numbers{period: math.MaxInt64, timeout: math.MaxInt64, linger: math.MaxInt64, dial: math.MaxInt64, handshake: math.MaxInt64,
		readCap: math.MaxInt64, readBytes: math.MaxInt64, writeCap: math.MaxInt64, writeBytes: math.MaxInt64, maxPayload: math.MaxInt32,
		initial: math.MaxInt64, most: math.MaxInt64, factor: math.MaxFloat64, jitter: 1, accept: 1 << 20, sessions: math.MaxInt64,
		perAddr: math.MaxInt64, pending: math.MaxInt64, trials: math.MaxInt64})
	for _, v := range []float64{-1, math.NaN(), math.Inf(1), math.Inf(-1), math.SmallestNonzeroFloat64, 1, 0.5, 0.9999} {
		add(numbers{factor: v})
		add(numbers{jitter: v})
		add(numbers{initial: 1, most: math.MaxInt64, factor: v, jitter: 1, flags: 8})
	}
	r := newOptionsRun(f)
	f.Fuzz(func(t *testing.T, period, timeout, linger, dial, handshake, readCap, readBytes, writeCap, writeBytes,
		maxPayload, width, initial, most int64, factor, jitter float64, accept, sessions, perAddr, pending,
		trials, loops int64, policies, flags byte,
	) {
		r.try(t, numbers{period, timeout, linger, dial, handshake, readCap, readBytes, writeCap, writeBytes,
			maxPayload, width, initial, most, factor, jitter, accept, sessions, perAddr, pending, trials, loops, policies, flags})
	})
}

func numbersOf(v [19]int64) numbers {
	return numbers{period: v[0], timeout: v[1], linger: v[2], dial: v[3], handshake: v[4], readCap: v[5], readBytes: v[6],
		writeCap: v[7], writeBytes: v[8], maxPayload: v[9], width: v[10], initial: v[11], most: v[12], accept: v[13],
		sessions: v[14], perAddr: v[15], pending: v[16], trials: v[17], loops: v[18]}
}

func (n *numbers) backoff() reconnect.Backoff {
	if n.flags&8 != 0 {
		b := reconnect.FixedDelay(time.Duration(n.initial))
		b.Jitter = n.jitter
		return b
	}
	return reconnect.Backoff{Initial: time.Duration(n.initial), Max: time.Duration(n.most), Factor: n.factor, Jitter: n.jitter}
}

func (n *numbers) buffers() (read, write session.Buffer) {
	return session.Buffer{Cap: int(n.readCap), Bytes: int(n.readBytes), Policy: session.Policy(n.policies & 0xf % 4)},
		session.Buffer{Cap: int(n.writeCap), Bytes: int(n.writeBytes), Policy: session.Policy(n.policies >> 4 % 4)}
}

func (n *numbers) codec() codec.Format {
	return codec.Format{Width: int(n.width), Varint: n.flags&1 != 0, LittleEndian: n.flags&2 != 0, IncludesHeader: n.flags&4 != 0}
}

func (n *numbers) connect() ConnectOptions {
	read, write := n.buffers()
	return ConnectOptions{
		ReadBuffer: read, WriteBuffer: write, HeartbeatPeriod: time.Duration(n.period), HeartbeatTimeout: time.Duration(n.timeout),
		MaxPayload: int(n.maxPayload), Codec: n.codec(), Linger: time.Duration(n.linger), DialTimeout: time.Duration(n.dial),
		Backoff: n.backoff(), MaxAttempts: int(n.trials),
	}
}

func (n *numbers) listen() ListenOptions {
	o := n.connect()
	l := ListenOptions{
		ReadBuffer: o.ReadBuffer, WriteBuffer: o.WriteBuffer, HeartbeatPeriod: o.HeartbeatPeriod, HeartbeatTimeout: o.HeartbeatTimeout,
		MaxPayload: o.MaxPayload, Codec: o.Codec, Linger: o.Linger, HandshakeTimeout: time.Duration(n.handshake),
		AcceptBuffer: int(n.accept), MaxSessions: int(n.sessions), MaxSessionsPerAddr: int(n.perAddr), MaxPending: int(n.pending),
	}
	if n.flags&0x10 != 0 {
		l.Inline = n.flags&0x20 != 0
		l.OnEvent = func(s *session.Session, ev session.Event) {
			if ev.Kind == session.Message {
				_ = s.TrySend(ev.Payload)
			}
		}
	}
	return l
}

// inTime reports whether no time limit is so short that a busy machine may miss it.
func (n *numbers) inTime() bool {
	for _, limit := range []int64{n.timeout, n.dial, n.handshake, n.linger} {
		if limit != 0 && limit < int64(testkit.Patience) {
			return false
		}
	}
	return n.timeout != 0 || n.period == 0 || n.period > int64(testkit.Patience)
}

// optionsRun is what the tries share.
type optionsRun struct {
	e      *Engine
	dir    string
	count  atomic.Int64
	fields []string
}

func newOptionsRun(f *testing.F) *optionsRun {
	e, err := NewEngine(EngineOptions{Loops: 1})
	require.NoError(f, err)
	dir, err := os.MkdirTemp("", "")
	require.NoError(f, err)
	f.Cleanup(func() {
		_ = e.Shutdown(testkit.Context(f))
		_ = os.RemoveAll(dir)
	})
	r := &optionsRun{e: e, dir: dir}
	r.fields = []string{"Backoff is "} // FixedDelay has no fields
	for prefix, o := range map[string]any{
		"": EngineOptions{}, " ": ConnectOptions{}, "  ": ListenOptions{}, "ReadBuffer.": session.Buffer{},
		"WriteBuffer.": session.Buffer{}, "Backoff.": reconnect.Backoff{}, "Codec.": codec.Format{},
	} {
		for field := range reflect.TypeOf(o).NumField() {
			r.fields = append(r.fields, strings.TrimSpace(prefix)+reflect.TypeOf(o).Field(field).Name+" ")
		}
	}
	return r
}

func (r *optionsRun) named(t *testing.T, err error) {
	text, ok := strings.CutPrefix(err.Error(), "netasync: ")
	for _, field := range r.fields {
		if ok && strings.HasPrefix(text, field) {
			return
		}
	}
	t.Fatalf("the error does not begin with a field's name: %v", err)
}

func (r *optionsRun) try(t *testing.T, n numbers) {
	if e, err := NewEngine(EngineOptions{Loops: int(n.loops)}); err != nil {
		r.named(t, err)
	} else {
		require.NoError(t, e.Shutdown(testkit.Context(t)))
	}
	if b, err := n.backoff().Resolve(); err != nil {
		r.named(t, err)
	} else {
		checkDelays(t, b)
	}
	addr := "unix:" + filepath.Join(r.dir, fmt.Sprint(r.count.Add(1)))
	ln, err := r.e.Listen(addr, n.listen())
	if err != nil {
		r.named(t, err)
	} else {
		defer func() { require.NoError(t, ln.Close()) }()
	}
	if h, err := NewHandler(n.listen()); err != nil {
		r.named(t, err)
	} else {
		require.NoError(t, h.Shutdown(testkit.Context(t)))
	}
	s, err := r.e.Connect(addr, n.connect())
	if err != nil {
		r.named(t, err)
		return
	}
	if ln != nil && n.inTime() {
		r.converse(t, n, s, ln)
		require.NoError(t, s.Close())
	} else {
		s.CloseNow(nil)
	}
	testkit.Ended(t, s.Done())
}

// checkDelays looks whether a back-off stays within its bounds however often attempts fail.
func checkDelays(t *testing.T, b reconnect.Backoff) {
	for _, failures := range []int{0, 1, 10, 1000, math.MaxInt} {
		for _, random := range []float64{0, 0.5, 1 - 1e-16} {
			d := b.Delay(failures, random)
			if d < 0 || float64(d) > float64(b.Max)*(1+b.Jitter)*(1+1e-9)+1 {
				t.Fatalf("a delay of %v by %+v", d, b)
			}
		}
	}
}

// converse has a message go to the listener's session and back.
func (r *optionsRun) converse(t *testing.T, n numbers, s *session.Session, ln *Listener) {
	p, err := (&ConnectOptions{MaxPayload: int(n.maxPayload), Codec: n.codec()}).resolve(&host{})
	require.NoError(t, err)
	message := testkit.Numbered(7, 300)[:min(300, p.MaxPayload)]
	sent := string(message)
	require.NoError(t, s.Send(testkit.Context(t), message))
	if n.flags&0x10 == 0 {
		peer := testkit.Take(t, ln.AcceptChan())
		require.Equal(t, sent, string(nextMessage(t, peer)))
		require.NoError(t, peer.Send(testkit.Context(t), []byte(sent)))
		defer func() { peer.CloseNow(nil); testkit.Ended(t, peer.Done()) }()
	}
	require.Equal(t, sent, string(nextMessage(t, s)))
	if p.MaxPayload < 1<<20 {
		require.ErrorIs(t, s.TrySend(make([]byte, p.MaxPayload+1)), session.ErrFrameTooLarge)
	}
}

// nextMessage returns the payload of the next message.
func nextMessage(t *testing.T, s *session.Session) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	for {
		ev, err := s.Recv(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("no message came: %v, %+v", s.State(), s.Stats())
		}
		require.NoError(t, err)
		require.Contains(t, []session.EventKind{session.Connected, session.Message}, ev.Kind, "%v", ev.Err)
		if ev.Kind == session.Message {
			return ev.Payload
		}
	}
}
