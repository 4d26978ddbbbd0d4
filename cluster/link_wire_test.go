package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// frames are some of each kind.
func frames() []frame {
	return []frame{
		{kind: frameOpen, stream: 1, session: 7, name: "ada"},
		{kind: frameData, stream: 1, messages: [][]byte{[]byte("hello"), []byte("x")}},
		{kind: frameLeave, stream: 1 << 40},
		{kind: frameAck, stream: 3, handled: 1 << 50, refused: 2},
		{kind: frameLast, stream: 1, handled: 5},
		{kind: frameLast, stream: 1, handled: 5, refused: 5, next: holder{1, 2, 3}},
	}
}

// What is said is understood, and nothing that is shorter or longer.
func TestFrames(t *testing.T) {
	for _, want := range frames() {
		p := want.append(nil)
		got, err := parseFrame(p)
		require.NoError(t, err)
		require.Equal(t, want, got)
		for i := range p {
			if f, err := parseFrame(p[:i]); err == nil {
				require.NotEqual(t, want, f)
				require.Equal(t, p[:i], f.append(nil))
			}
		}
		require.LessOrEqual(t, len(p), dataSize(want.messages)+len(want.name)+60)
		if want.kind != frameData {
			_, err = parseFrame(append(p, make([]byte, 30)...))
			require.ErrorIs(t, err, errMalformed)
		}
	}
	for _, bad := range []frame{
		{kind: frameOpen, stream: 0, session: 7, name: "ada"},
		{kind: frameOpen, stream: 1, session: 7, name: ""},
		{kind: frameOpen, stream: 1, session: 7, name: "\xff"},
		{kind: frameData, stream: 1},
		{kind: frameData, stream: 1, messages: [][]byte{{}}},
		{kind: frameData, stream: 1, messages: slicesOf(windowMessages + 1)},
		{kind: frameAck, stream: 1, handled: 1, refused: 2},
		{kind: 'x', stream: 1},
	} {
		_, err := parseFrame(bad.append(nil))
		require.ErrorIs(t, err, errMalformed, "%+v", bad)
	}
}

func slicesOf(count int) (all [][]byte) {
	for range count {
		all = append(all, []byte("x"))
	}
	return all
}

// FuzzFrames has any bytes come in by a link, at both of its ends: they are understood or not, and nothing
// else happens.
func FuzzFrames(f *testing.F) {
	for _, one := range frames() {
		f.Add(one.append(nil), one.append(nil))
	}
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	require.NoError(f, err)
	n, err := Start(Options{Engine: engine})
	require.NoError(f, err)
	f.Cleanup(func() { _ = n.Shutdown(within(f)); _ = engine.Shutdown(within(f)) })
	f.Fuzz(func(t *testing.T, first, second []byte) {
		for _, p := range [][]byte{first, second} {
			if one, err := parseFrame(p); err == nil {
				again, err := parseFrame(one.append(nil))
				require.NoError(t, err)
				require.Equal(t, one, again)
			}
		}
		in := n.links.newInLink(linkID{1, n.id, 1})
		k := &link{links: &n.links, streams: map[*binding]struct{}{}, opened: map[uint64]*binding{}}
		k.voice.wake = make(chan struct{}, 1)
		s := n.Session("ada")
		s.mu.Lock()
		s.at, _ = k.begin(s, holder{1, 7, 1})
		k.open(s.at)
		s.queue, s.sent, s.bytes = [][]byte{[]byte("hello"), []byte("again")}, 1, 10
		s.mu.Unlock()
		for _, p := range [][]byte{first, second} {
			_, _ = in.receive(p), k.receive(p)
		}
		in.end(errIdle)
		in.work.Wait()
		s.mu.Lock()
		require.LessOrEqual(t, s.fate.NotQueued, 2)
		s.mu.Unlock()
	})
}

// dialLink opens a session to a node as if by a link of another one.
func dialLink(t testing.TB, n *Node, id linkID) *netasync.Session {
	t.Helper()
	s, err := newEngine(t).Connect(n.relayPort.Addr().String(), netasync.ConnectOptions{
		Resume: true, MaxPayload: maxFrame,
		Dial: func(ctx context.Context, _, addr string) (net.Conn, error) {
			return n.offer(ctx, addr, preface{link: &id})
		},
	})
	require.NoError(t, err)
	return s
}

// A node that breaks the protocol of links loses its link, which is logged; others do not notice.
func TestLinkLiars(t *testing.T) {
	log := &journal{}
	n := start(t, Options{
		Listen: "127.0.0.1:0", Secret: secret,
		Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	good := dialLink(t, n.Node, linkID{1, n.id, 1})
	require.NoError(t, good.WaitConnected(within(t)))
	open := (&frame{kind: frameOpen, stream: 1, session: 7, name: "ada"}).append(nil)
	for i, said := range [][][]byte{
		{[]byte("nonsense")},
		{(&frame{kind: frameData, stream: 1, messages: slicesOf(1)}).append(nil)},
		{(&frame{kind: frameLeave, stream: 1}).append(nil)},
		{(&frame{kind: frameAck, stream: 1}).append(nil)},
		{open, open},
	} {
		s := dialLink(t, n.Node, linkID{2, n.id, uint64(i + 1)})
		require.NoError(t, s.WaitConnected(within(t)))
		eventually(t, func() bool { return n.Stats().LinksIn == 2 }, "it is there")
		for _, p := range said {
			require.NoError(t, s.Send(within(t), p))
		}
		eventually(t, func() bool { return n.Stats().LinksIn == 1 }, "it has ended")
		s.CloseNow(nil)
	}
	require.Contains(t, log.String(), "breaks the protocol of links")

	slow := newSlow(t, []*place{n}, 0, "ada")
	s := dialLink(t, n.Node, linkID{2, n.id, 100})
	f := frame{kind: frameOpen, stream: 1, session: slow.accepted.ID(), name: "ada"}
	require.NoError(t, s.Send(within(t), f.append(nil)))
	eventually(t, func() bool { return n.Stats().StreamsIn == 1 }, "a stream has begun")
	flood := (&frame{kind: frameData, stream: 1, messages: [][]byte{make([]byte, 1<<20)}}).append(nil)
	for ctx := within(t); n.Stats().StreamsIn > 0; { // until it is more than the window
		require.NoError(t, s.Send(ctx, bytes.Clone(flood)))
	}
	require.NoError(t, good.Flush(within(t)), "others live")
}

// A link that is not to this node, or is older than another one of its node, is not taken in.
func TestLinkNotTakenIn(t *testing.T) {
	n := start(t, Options{Listen: "127.0.0.1:0", Secret: secret})
	later := dialLink(t, n.Node, linkID{1, n.id, 5})
	require.NoError(t, later.WaitConnected(within(t)))
	for _, id := range []linkID{{1, n.id + 1, 6}, {1, n.id, 4}} {
		conn, err := tls.Dial("tcp", n.relayPort.Addr().String(), n.tls)
		require.NoError(t, err)
		require.Empty(t, refusedBy(t, conn, id.append(nil)))
	}
	for _, bad := range [][]byte{{}, {1}, make([]byte, 17)} {
		body := append([]byte(linkMagic), 0, 0, 0, byte(len(bad)))
		conn, err := tls.Dial("tcp", n.relayPort.Addr().String(), n.tls)
		require.NoError(t, err)
		require.Empty(t, refusedBy(t, conn, append(body, bad...)))
	}
	require.NoError(t, later.Flush(within(t)))
	require.Equal(t, 1, n.Stats().LinksIn)
	latest := dialLink(t, n.Node, linkID{1, n.id, 6})
	require.NoError(t, latest.WaitConnected(within(t)))
	require.Equal(t, 1, n.Stats().LinksIn)
}

// refusedBy says something, and returns what is answered until the end.
func refusedBy(t testing.TB, conn net.Conn, said []byte) []byte {
	t.Helper()
	defer func() { _ = conn.Close() }()
	_, err := conn.Write(said)
	require.NoError(t, err)
	var answer bytes.Buffer
	_, _ = io.Copy(&answer, conn)
	return answer.Bytes()
}
