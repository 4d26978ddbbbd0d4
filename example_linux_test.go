package netasync_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/netasync/netasync"
)

// With SO_REUSEPORT several processes, or several listeners of one, share a port, and the kernel
// deals out the connections: so the next version of a service can start before the last one ends.
// Connections that the last one had not accepted are reset, unless net.ipv4.tcp_migrate_req is set.
func ExampleEngine_reusePort() {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		})
		return errors.Join(err, failed)
	}}
	serve := func(addr string) (*netasync.Engine, string) {
		ln, err := config.Listen(context.Background(), "tcp", addr)
		if err != nil {
			panic(err)
		}
		engine, _ := netasync.NewEngine(netasync.EngineOptions{})
		_, _ = engine.Serve(ln, netasync.ListenOptions{OnEvent: answer})
		return engine, ln.Addr().String()
	}

	last, addr := serve("127.0.0.1:0")
	fmt.Println(ask(addr, "hello"))
	next, _ := serve(addr)                  // the port is taken, and free
	_ = last.Shutdown(context.Background()) // its sessions end, and may come back here
	fmt.Println(ask(addr, "hello again"))
	_ = next.Shutdown(context.Background())
	// Output:
	// you said hello
	// you said hello again
}

// On a unix socket the kernel vouches for who is at the other end: no password, no certificate.
func ExampleListenOptions_peerCredentials() {
	dir, _ := os.MkdirTemp("", "netasync")
	defer os.RemoveAll(dir)
	addr := "unix:" + filepath.Join(dir, "socket")

	engine, _ := netasync.NewEngine(netasync.EngineOptions{})
	_, _ = engine.Listen(addr, netasync.ListenOptions{
		Identify: func(_ context.Context, conn net.Conn) (string, error) {
			peer, err := credentials(conn.(*net.UnixConn))
			if err != nil {
				return "", err // refuses it
			}
			return fmt.Sprintf("uid:%d", peer.Uid), nil
		},
		OnEvent: func(s *netasync.Session, ev netasync.Event) {
			if ev.Kind == netasync.Message {
				_ = s.Send(context.Background(), []byte("you are "+s.Identity()))
			}
		},
	})

	us := fmt.Sprint(os.Getuid())
	fmt.Println(strings.Replace(ask(addr, "who am I?"), us, "that of this program", 1))
	_ = engine.Shutdown(context.Background())
	// Output: you are uid:that of this program
}

// credentials are what the kernel knows of a connection's other end, from when it was connected.
func credentials(conn *net.UnixConn) (peer *unix.Ucred, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	controlled := raw.Control(func(fd uintptr) {
		peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	return peer, errors.Join(controlled, err)
}
