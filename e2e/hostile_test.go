package e2e_test

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// Peers that send what is no message, or hang up at the worst moment.

// A length that is negative, huge, or one over the limit ends that connection, and no other.
func TestBadLengths(t *testing.T) {
	const limit = 1 << 20
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{MaxPayload: limit})
	good := testkit.Dial(t, ln.Addr())
	neighbour := testkit.Take(t, ln.AcceptChan())
	go echoSession(neighbour)
	for name, length := range map[string]uint32{
		"one over":      limit + 1,
		"a gigabyte":    1 << 30,
		"most positive": math.MaxInt32,
		"most negative": 1 << 31,
		"minus one":     math.MaxUint32,
	} {
		t.Run(name, func(t *testing.T) {
			bad := testkit.Dial(t, ln.Addr())
			testkit.Write(t, bad, testkit.Frames("before"))
			testkit.Write(t, bad, binary.BigEndian.AppendUint32(nil, length))
			s := testkit.Take(t, ln.AcceptChan())
			expect(t, s, netasync.Connected)
			expectMessages(t, s, "before")
			require.ErrorIs(t, expectClosed(t, s).Err, netasync.ErrFrameTooLarge)
			_, err := testkit.ReadMessage(bad)
			require.Error(t, err)

			testkit.Write(t, good, testkit.Frames("well?"))
			expectFrames(t, good, "well?")
		})
	}
}

// Peers that announce the largest message each and of it cost next to no memory.
func TestAnnouncedIsNotAllocated(t *testing.T) {
	const peers, perPeer = 64, 128 << 10
	ln := listen(t, newEngine(t), netasync.ListenOptions{})
	before := testkit.Heap()
	for range peers {
		conn := testkit.Dial(t, ln.Addr())
		// This tells when the header behind it has been seen.
		testkit.Write(t, conn, testkit.Frames("here"))
		testkit.Write(t, conn, []byte{0, 0x40, 0, 0, 'x'})
		s := testkit.Take(t, ln.AcceptChan())
		expect(t, s, netasync.Connected)
		expectMessages(t, s, "here")
	}
	require.Less(t, testkit.Heap()-before, int64(peers*perPeer))
}

// Random bytes end a session or wait for more, and harm nobody.
func TestGarbage(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{MaxPayload: 1 << 16})
	go echo(ln.AcceptChan())
	good := connect(t, e, ln.Addr(), netasync.ConnectOptions{})
	expect(t, good, netasync.Connected)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.NewChaCha8([32]byte(binary.LittleEndian.AppendUint64(make([]byte, 24), seed)))
	for range 100 {
		conn := testkit.Dial(t, ln.Addr())
		garbage := make([]byte, 1+random.Uint64()%4096)
		_, _ = random.Read(garbage)
		_, _ = conn.Write(garbage) // may be refused half way
		_ = conn.Close()
	}
	send(t, good, "still here")
	expectMessages(t, good, "still here")
	testkit.Eventually(t, func() bool { return e.Stats().Sessions == 2 }, "the others ended")
}

// A client that resets its connection ends its session, and no other.
func TestClientResets(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{})
	good := testkit.Dial(t, ln.Addr())
	go echoSession(testkit.Take(t, ln.AcceptChan()))
	for range 20 {
		bad := testkit.Dial(t, ln.Addr())
		s := testkit.Take(t, ln.AcceptChan())
		expect(t, s, netasync.Connected)
		testkit.Write(t, bad, testkit.Frames("hello"))
		expectMessages(t, s, "hello")
		require.NoError(t, bad.SetLinger(0))
		require.NoError(t, bad.Close())
		require.Error(t, expectClosed(t, s).Err)
	}
	testkit.Write(t, good, testkit.Frames("well?"))
	expectFrames(t, good, "well?")
}

// A client that resets before it was accepted, or right after, is survived.
func TestClientResetsAtOnce(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{})
	go echo(ln.AcceptChan())
	for range 100 {
		bad := testkit.Dial(t, ln.Addr())
		require.NoError(t, bad.SetLinger(0))
		require.NoError(t, bad.Close())
	}
	good := testkit.Dial(t, ln.Addr())
	testkit.Write(t, good, testkit.Frames("well?"))
	expectFrames(t, good, "well?")
	testkit.Eventually(t, func() bool { return e.Stats().Sessions == 1 }, "the others ended")
}

// Clients of other protocols meet a port of ours: Closed says what they seem to speak.
func TestWhatATooLargeFrameReadsLike(t *testing.T) {
	ln := listen(t, newEngine(t), netasync.ListenOptions{})
	for said, want := range map[string]string{
		"GET / HTTP/1.1\r\n":   `1195725856 bytes, the maximum is 4194304; it reads like "GET "`,
		"\x16\x03\x01\x02\x00": "it reads like TLS",
	} {
		testkit.Write(t, testkit.Dial(t, ln.Addr()), []byte(said))
		s := testkit.Take(t, ln.AcceptChan())
		expect(t, s, netasync.Connected)
		err := expectClosed(t, s).Err
		require.ErrorIs(t, err, netasync.ErrFrameTooLarge)
		require.ErrorContains(t, err, want)
	}
}

// Send tells both figures, too.
func TestWhatATooLargeMessageIs(t *testing.T) {
	c, _ := pair(t, netasync.ListenOptions{}, netasync.ConnectOptions{MaxPayload: 100})
	err := c.Send(testkit.Context(t), make([]byte, 101))
	require.ErrorIs(t, err, netasync.ErrFrameTooLarge)
	require.Equal(t, err, c.TrySend(make([]byte, 101)))
	var tooLarge *netasync.FrameTooLargeError
	require.ErrorAs(t, err, &tooLarge)
	require.Equal(t, netasync.FrameTooLargeError{Length: 101, Max: 100}, *tooLarge)
	require.ErrorContains(t, err, "101 bytes, the maximum is 100")
}
