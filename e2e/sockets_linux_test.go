package e2e_test

import (
	"context"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// What the kernel says about our sockets.

// withSocket calls f with a descriptor of a session's connection. That the event loop closes it
// meanwhile is up to the test.
func withSocket(t *testing.T, s *netasync.Session, f func(fd int)) {
	t.Helper()
	local, remote := s.LocalAddr().(*net.TCPAddr), s.RemoteAddr().(*net.TCPAddr)
	open, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, entry := range open {
		fd, err := strconv.Atoi(entry.Name())
		require.NoError(t, err)
		if portOfName(unix.Getsockname(fd)) == local.Port && portOfName(unix.Getpeername(fd)) == remote.Port {
			f(fd)
			return
		}
	}
	require.Fail(t, "there is no such socket")
}

func portOfName(name unix.Sockaddr, _ error) int {
	if in, ok := name.(*unix.SockaddrInet4); ok {
		return in.Port
	}
	return 0
}

// socketOption asks for an option of a session's connection.
func socketOption(t *testing.T, s *netasync.Session, level, option int) (value int) {
	t.Helper()
	withSocket(t, s, func(fd int) {
		var err error
		value, err = unix.GetsockoptInt(fd, level, option)
		require.NoError(t, err)
	})
	return value
}

// windowScale is how far TCP may open its window for what we receive. The kernel tells it by bits to
// which package unix gives no name.
func windowScale(t *testing.T, s *netasync.Session) (scale byte) {
	t.Helper()
	withSocket(t, s, func(fd int) {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		require.NoError(t, err)
		scale = (*[8]byte)(unsafe.Pointer(info))[6] >> 4
	})
	return scale
}

// The buffers of sockets are what was asked for, at both ends and on event loops, and TCP knew it
// when it connected. At 0 the system decides, and 1 is as little as it allows.
func TestSocketBuffers(t *testing.T) {
	const doubled = 2 // by Linux
	for _, size := range []int{0, 1, 16 << 10} {
		lo := netasync.ListenOptions{SocketReadBuffer: size, SocketWriteBuffer: 2 * size}
		co := netasync.ConnectOptions{SocketReadBuffer: size, SocketWriteBuffer: 2 * size}
		c, s := pair(t, lo, co)
		for _, end := range []*netasync.Session{c, s} {
			read := socketOption(t, end, unix.SOL_SOCKET, unix.SO_RCVBUF)
			write := socketOption(t, end, unix.SOL_SOCKET, unix.SO_SNDBUF)
			switch size {
			case 0:
				require.Greater(t, read, 64<<10)
				require.NotZero(t, windowScale(t, end))
			case 1:
				require.Less(t, read, 16<<10)
				require.Less(t, write, 16<<10)
			default:
				require.Equal(t, doubled*size, read)
				require.Equal(t, doubled*2*size, write)
				require.Zero(t, windowScale(t, end), "a window of 64 KiB needs no scale")
			}
		}
		send(t, c, "hello")
		expectMessages(t, s, "hello")
		send(t, s, "world")
		expectMessages(t, c, "world")
	}
}

// Buffers that were asked for are still there after a session has left its loop, and come back.
func TestSocketBuffersSurviveMoves(t *testing.T) {
	e := newEngine(t)
	ln := listen(t, e, netasync.ListenOptions{SocketReadBuffer: 16 << 10, ReadBuffer: netasync.Fixed(1)})
	conn := testkit.Dial(t, ln.Addr())
	s := testkit.Take(t, ln.AcceptChan())
	texts := testkit.Texts(1000)
	go func() { _, _ = conn.Write(testkit.Frames(texts...)) }()
	testkit.Eventually(t, func() bool { return e.Stats().Left > 0 }, "it leaves its loop")
	require.Equal(t, 32<<10, socketOption(t, s, unix.SOL_SOCKET, unix.SO_RCVBUF))
	expect(t, s, netasync.Connected)
	expectMessages(t, s, texts...)
	testkit.Eventually(t, func() bool {
		testkit.Write(t, conn, testkit.Frames("more")) // a reader off the loop looks when it has read
		expectMessages(t, s, "more")
		return e.Stats().Returned == e.Stats().Left
	}, "it is back")
	require.Equal(t, 32<<10, socketOption(t, s, unix.SOL_SOCKET, unix.SO_RCVBUF))
}

// KeepAlive is Go's default, what was asked for, or off, at both ends and on event loops.
func TestKeepAlive(t *testing.T) {
	type probes struct{ on, idle, interval, count int }
	const second = 1 // the kernel counts them
	for name, c := range map[string]struct {
		config net.KeepAliveConfig
		want   probes
	}{
		"default": {net.KeepAliveConfig{}, probes{1, 15 * second, 15 * second, 9}},
		"set":     {net.KeepAliveConfig{Enable: true, Idle: 7 * time.Second, Interval: 3 * time.Second, Count: 5}, probes{1, 7 * second, 3 * second, 5}},
		"least":   {net.KeepAliveConfig{Enable: true, Idle: 1, Interval: 1, Count: 1}, probes{1, second, second, 1}},
		"off":     {net.KeepAliveConfig{Idle: -1}, probes{}},
	} {
		t.Run(name, func(t *testing.T) {
			dialed, accepted := pair(t, netasync.ListenOptions{KeepAlive: c.config}, netasync.ConnectOptions{KeepAlive: c.config})
			for _, s := range []*netasync.Session{dialed, accepted} {
				got := probes{on: socketOption(t, s, unix.SOL_SOCKET, unix.SO_KEEPALIVE)}
				if got.on == 1 {
					got.idle = socketOption(t, s, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE)
					got.interval = socketOption(t, s, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL)
					got.count = socketOption(t, s, unix.IPPROTO_TCP, unix.TCP_KEEPCNT)
				}
				require.Equal(t, c.want, got)
			}
		})
	}
}

// With LockOSThread a loop has a thread of its own, without it none.
func TestLockOSThread(t *testing.T) {
	for _, lock := range []bool{false, true} {
		e, err := netasync.NewEngine(netasync.EngineOptions{Loops: 1, LockOSThread: lock})
		require.NoError(t, err)
		t.Cleanup(func() { endEngine(t, e) })
		stacks := make(chan string, 1)
		ln := listen(t, e, netasync.ListenOptions{Inline: true, OnEvent: func(_ *netasync.Session, ev netasync.Event) {
			if ev.Kind == netasync.Message {
				stack := make([]byte, 100)
				stacks <- string(stack[:runtime.Stack(stack, false)])
			}
		}})
		testkit.Write(t, testkit.Dial(t, ln.Addr()), testkit.Frames("hello"))
		require.Equal(t, lock, strings.Contains(testkit.Take(t, stacks), "locked to thread"))
	}
}

// LoopBuffer is what each loop takes, and messages of all sizes come whole with the smallest.
func TestLoopBuffer(t *testing.T) {
	const loops = 16
	cost := func(bytes int) int64 {
		e, err := netasync.NewEngine(netasync.EngineOptions{Loops: loops, LoopBuffer: bytes})
		require.NoError(t, err)
		defer endEngine(t, e)
		before := testkit.Heap()
		ln := listen(t, e, netasync.ListenOptions{})
		go echo(ln.AcceptChan())
		c := connect(t, e, ln.Addr(), netasync.ConnectOptions{})
		expect(t, c, netasync.Connected)
		after := testkit.Heap()
		for _, size := range []int{1, 1000, 5000, 1 << 20} {
			require.NoError(t, c.Send(context.Background(), make([]byte, size)))
			require.Len(t, expect(t, c, netasync.Message).Payload, size)
		}
		return after - before
	}
	const slack = 2 << 20
	require.Less(t, cost(1), int64(slack))
	require.InDelta(t, loops<<20, cost(1<<20), slack)
	require.InDelta(t, loops<<20, cost(1<<20-1), slack, "rounded up")
	require.InDelta(t, loops*512<<10, cost(0), slack, "the default")
}
