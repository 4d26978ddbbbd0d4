package engine

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/session"
)

// peerEnv makes the test binary the peer on the other host: its address to dial,
// and what it does.
const peerEnv = "NETASYNC_TEST_PEER"

// TestPeerOnTheOtherHost is the peer's program: it floods and reads, or sends a little and reads, or
// floods and does not read, be it with a receive buffer that is too small for what comes. Run as a
// test of its own it does nothing.
func TestPeerOnTheOtherHost(t *testing.T) {
	var addr, does string
	if n, _ := fmt.Sscan(os.Getenv(peerEnv), &addr, &does); n != 2 {
		return
	}
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	require.NoError(t, err)
	fmt.Println("connected")
	if does == "tiny" {
		require.NoError(t, conn.(*net.TCPConn).SetReadBuffer(1))
	}
	frame := testkit.Frames(make([]byte, 1000))
	if does == "idle" {
		for range 100 {
			testkit.Write(t, conn, frame)
		}
	} else {
		go func() {
			for _, err := conn.Write(frame); err == nil; {
				_, err = conn.Write(frame)
			}
		}()
	}
	if does == "reads" || does == "idle" {
		_, _ = io.Copy(io.Discard, conn)
	}
	select {} // it is killed
}

// otherHost makes a host behind a cable, and returns our address as it sees
// it, what runs a program there, and what pulls the cable.
func otherHost(t *testing.T) (addr string, command func(name string, args ...string) *exec.Cmd, pull func()) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("making a network namespace needs root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("making a network namespace needs ip, of iproute2")
	}
	id := os.Getpid() % (256 << 6)
	ns, ours, theirs := fmt.Sprintf("netasync%d", id), fmt.Sprintf("na%da", id), fmt.Sprintf("na%db", id)
	ip := func(args ...string) error {
		out, err := exec.Command("ip", args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ip %v: %w: %s", args, err, out)
		}
		return nil
	}
	if err := ip("netns", "add", ns); err != nil {
		t.Skip("no network namespaces here: ", err)
	}
	t.Cleanup(func() { _ = ip("netns", "del", ns) })
	require.NoError(t, ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", ns))
	t.Cleanup(func() { _ = ip("link", "del", ours) })
	// 198.18.0.0/15 is set aside for tests between hosts; each process has a network of its own, in
	// case one was killed and has left its behind.
	network := fmt.Sprintf("198.18.%d.", id>>6&255)
	addr, other := fmt.Sprint(network, id&63<<2+1), fmt.Sprint(network, id&63<<2+2)
	require.NoError(t, ip("addr", "add", addr+"/30", "dev", ours))
	require.NoError(t, ip("link", "set", ours, "up"))
	require.NoError(t, ip("-n", ns, "addr", "add", other+"/30", "dev", theirs))
	require.NoError(t, ip("-n", ns, "link", "set", theirs, "up"))
	command = func(name string, args ...string) *exec.Cmd {
		return exec.Command("ip", append([]string{"netns", "exec", ns, name}, args...)...)
	}
	return addr, command, func() { require.NoError(t, ip("-n", ns, "link", "set", theirs, "down")) }
}

// We hold a peer on another host back, for many heartbeat timeouts: it lives. Then its cable is
// pulled: it is found. That holds also if the peer does not read either, and both ends are full, when
// TCP alone has something to say.
func TestVanishedPeerBehindARealNetwork(t *testing.T) {
	for _, does := range []string{"reads", "idle", "full", "tiny"} {
		t.Run(does, func(t *testing.T) {
			if does == "tiny" && !boundsBackoff(t) {
				t.Skip("a host does not answer what it throws away before Linux 6.6; this runs from 6.15 on")
			}
			addr, command, pull := otherHost(t)
			s := heldBack(t, addr, does, command)
			select {
			case <-s.Done():
				t.Fatal("a peer that we hold back was given up")
			case <-time.After(5 * time.Second): // the promise is that nothing happens
			}
			start := time.Now()
			pull()
			bound := 2 * leastBackoff // and a period, and what a busy machine takes
			if does == "full" && !boundsBackoff(t) {
				bound = 30 * time.Second
			}
			select {
			case <-s.Done():
				t.Logf("found after %v", time.Since(start))
			case <-time.After(bound + 3*time.Second):
				t.Fatal("a peer that vanished was not found")
			}
			for {
				ev := mustRecv(t, s)
				if ev.Kind == session.Closed {
					require.ErrorIs(t, ev.Err, session.ErrHeartbeatTimeout)
					return
				}
			}
		})
	}
}

// heldBack returns a session with a peer on another host which does as it is told, and whose user
// reads nothing.
func heldBack(
	t *testing.T, addr, does string, command func(name string, args ...string) *exec.Cmd,
) *session.Session {
	t.Helper()
	ln, err := startEngine(t).Listen(addr+":0", ListenOptions{
		ReadBuffer: session.Fixed(10), HeartbeatPeriod: 200 * time.Millisecond, HeartbeatTimeout: 800 * time.Millisecond,
	})
	require.NoError(t, err)
	peer := command(os.Args[0], "-test.run=^TestPeerOnTheOtherHost$")
	peer.Env = append(os.Environ(), peerEnv+"="+ln.Addr().String()+" "+does)
	out, err := peer.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, peer.Start())
	// This ends what waits for the peer below.
	hung := time.AfterFunc(30*time.Second, func() { _ = peer.Process.Kill() })
	t.Cleanup(func() { hung.Stop(); _ = peer.Process.Kill(); _ = peer.Wait() })
	_, err = bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	s := <-ln.AcceptChan()
	hung.Stop()
	if does == "full" || does == "tiny" {
		go sendForEver(s)
	}
	return s
}

func sendForEver(s *session.Session) {
	for s.Send(context.Background(), make([]byte, 10_000)) == nil {
	}
}

// boundsBackoff reports whether this kernel lets us bound the back-off of TCP's timers.
func boundsBackoff(t *testing.T) bool {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	return boundBackoff(fd, time.Second) == nil
}

// A peer whose receive buffer is too small for what its window has promised throws away what comes,
// again and again, ever more slowly. Its host answers each time: it lives.
func TestPeerWithATinyBufferLives(t *testing.T) {
	if !boundsBackoff(t) {
		t.Skip("a host does not answer what it throws away before Linux 6.6; this runs from 6.15 on")
	}
	ln, err := startEngine(t).Listen("127.0.0.1:0", ListenOptions{
		ReadBuffer: session.Fixed(10), HeartbeatPeriod: 100 * time.Millisecond, HeartbeatTimeout: 400 * time.Millisecond,
	})
	require.NoError(t, err)
	conn := testkit.Dial(t, ln.Addr())
	require.NoError(t, conn.SetReadBuffer(1))
	go func() {
		frame := testkit.Frames(make([]byte, 1000))
		for _, err := conn.Write(frame); err == nil; {
			_, err = conn.Write(frame)
		}
	}()
	s := <-ln.AcceptChan()
	go sendForEver(s)
	select {
	case <-s.Done():
		t.Fatal("a peer whose host answers was given up")
	case <-time.After(4 * time.Second): // the promise is that nothing happens
	}
	require.NoError(t, conn.Close())
}

// What is said of a peer's host, by what TCP has sent and heard.
func TestUnanswered(t *testing.T) {
	sent := func(ms, ack, rto uint32) *unix.TCPInfo {
		return &unix.TCPInfo{Unacked: 1, Last_data_sent: ms, Last_ack_recv: ack, Rto: rto * 1000}
	}
	for name, c := range map[string]struct {
		info *unix.TCPInfo
		want bool
	}{
		"all acknowledged":                      {&unix.TCPInfo{Last_data_sent: 1, Last_ack_recv: 60_000}, false},
		"one probe may be under way":            {&unix.TCPInfo{Probes: 1, Last_ack_recv: 60_000}, false},
		"two are not":                           {&unix.TCPInfo{Probes: 2, Last_ack_recv: 1}, true},
		"answered, and not acknowledged":        {sent(5000, 4999, 8000), false},
		"answered at once":                      {sent(5000, 5000, 8000), false},
		"just sent again after a long wait":     {sent(10, 8010, 16_000), false},
		"just sent again after the longest":     {sent(10, 1010, 1000), false},
		"the last one was not answered":         {sent(300, 4300, 8000), true},
		"the one before the last was not, also": {sent(10, 2020, 1000), true},
	} {
		require.Equal(t, c.want, unanswered(c.info), name)
	}
}
