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

	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/session"
)

// peerEnv makes the test binary the peer on the other host: its address to dial,
// and whether it reads.
const peerEnv = "NETASYNC_TEST_PEER"

// TestPeerOnTheOtherHost is the peer's program: it floods and, if told so,
// reads. Run as a test of its own it does nothing.
func TestPeerOnTheOtherHost(t *testing.T) {
	var addr, reads string
	if n, _ := fmt.Sscan(os.Getenv(peerEnv), &addr, &reads); n != 2 {
		return
	}
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	require.NoError(t, err)
	if reads == "reads" {
		go func() { _, _ = io.Copy(io.Discard, conn) }()
	}
	fmt.Println("connected")
	frame := testkit.Frames(make([]byte, 1000))
	for {
		if _, err := conn.Write(frame); err != nil {
			return
		}
	}
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

// We hold a peer on another host back, for many heartbeat timeouts: it lives.
// Then its cable is pulled: it is found. That holds also if the peer does
// not read either, and both ends are full.
func TestVanishedPeerBehindARealNetwork(t *testing.T) {
	for _, c := range []struct {
		reads string
		found time.Duration // both ends full: TCP's own probes of a closed window come ever more slowly
	}{{"reads", 5 * time.Second}, {"full", 30 * time.Second}} {
		t.Run(c.reads, func(t *testing.T) {
			addr, command, pull := otherHost(t)
			e := startEngine(t)
			ln, err := e.Listen(addr+":0", ListenOptions{
				ReadBuffer: session.Fixed(10), HeartbeatPeriod: 200 * time.Millisecond, HeartbeatTimeout: 800 * time.Millisecond,
			})
			require.NoError(t, err)
			peer := command(os.Args[0], "-test.run=^TestPeerOnTheOtherHost$")
			peer.Env = append(os.Environ(), peerEnv+"="+ln.Addr().String()+" "+c.reads)
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
			if c.reads == "full" {
				go func() {
					for s.Send(context.Background(), make([]byte, 10_000)) == nil {
					}
				}()
			}
			select {
			case <-s.Done():
				t.Fatal("a peer that we hold back was given up")
			case <-time.After(5 * time.Second): // the promise is that nothing happens
			}
			start := time.Now()
			pull()
			select {
			case <-s.Done():
				t.Logf("found after %v", time.Since(start))
			case <-time.After(c.found):
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
