package netasync_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/netasync/netasync"
)

// systemd opens the port of a socket unit, and hands it over when the first client comes: so that a
// service may start late, restart without refusing anybody, and have a port below 1024 without
// being root. Where there is no systemd, the program listens by itself.
func ExampleEngine_socketActivation() {
	engine, _ := netasync.NewEngine(netasync.EngineOptions{})
	ln, err := activated()
	if errors.Is(err, errNotActivated) {
		ln, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		panic(err)
	}
	listener, _ := engine.Serve(ln, netasync.ListenOptions{OnEvent: answer})

	fmt.Println(ask(listener.Addr().String(), "hello"))
	_ = engine.Shutdown(context.Background())
	// Output: you said hello
}

var errNotActivated = errors.New("there is no socket from systemd")

// activated returns the first socket that systemd has opened for this process, see
// sd_listen_fds(3): descriptor 3, if the environment says so, and means us and not a parent of ours.
func activated() (net.Listener, error) {
	const first = 3
	pid, err := strconv.Atoi(os.Getenv("LISTEN_PID"))
	if err != nil || pid != os.Getpid() {
		return nil, errNotActivated
	}
	if n, err := strconv.Atoi(os.Getenv("LISTEN_FDS")); err != nil || n < 1 {
		return nil, errNotActivated
	}
	file := os.NewFile(first, "LISTEN_FD_3")
	defer file.Close() // FileListener has a duplicate, which no child inherits
	return net.FileListener(file)
}

// answer is a callback that answers.
func answer(s *netasync.Session, ev netasync.Event) {
	if ev.Kind == netasync.Message {
		_ = s.Send(context.Background(), append([]byte("you said "), ev.Payload...))
	}
}

// A Dial makes the connections its own way: here through an HTTP proxy, by CONNECT. It is called
// for every attempt, also when the session connects again. For SOCKS, golang.org/x/net/proxy has a
// DialContext that fits; what that returns is no *net.TCPConn, and is served off the event loops.
func ExampleConnectOptions_proxy() {
	server := echoServer()
	defer server.end()
	proxy := connectProxy()
	defer proxy.Close()

	engine, _ := netasync.NewEngine(netasync.EngineOptions{})
	s, _ := engine.Connect(server.addr, netasync.ConnectOptions{
		Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return dialThrough(ctx, proxy.Addr().String(), addr)
		},
	})
	s.WriteChan() <- []byte("through the proxy")
	for ev := range s.ReadChan() {
		if ev.Kind == netasync.Message {
			fmt.Printf("%s\n", ev.Payload)
			break
		}
	}
	fmt.Println("the peer is the proxy:", s.RemoteAddr().String() == proxy.Addr().String())
	_ = engine.Shutdown(context.Background())
	// Output:
	// through the proxy
	// the peer is the proxy: true
}

// dialThrough connects to addr through an HTTP proxy.
func dialThrough(ctx context.Context, proxy, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", proxy)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok { // DialTimeout
		_ = conn.SetDeadline(deadline)
	}
	if err := requestTunnel(conn, addr); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, conn.SetDeadline(time.Time{}) // as it came, so that an event loop can serve it
}

// requestTunnel asks the proxy at the other end for a connection to addr.
func requestTunnel(conn net.Conn, addr string) error {
	if _, err := fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %[1]s\r\n\r\n", addr); err != nil {
		return err
	}
	response, err := http.ReadResponse(bufio.NewReader(byBytes{conn}), &http.Request{Method: http.MethodConnect})
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the proxy says %s", response.Status)
	}
	return nil
}

// byBytes reads one byte at a time, and so none of what comes behind the proxy's answer: servers
// speak first here.
type byBytes struct{ io.Reader }

func (b byBytes) Read(p []byte) (int, error) { return b.Reader.Read(p[:min(len(p), 1)]) }

// connectProxy is a proxy for the example to go through.
func connectProxy() net.Listener {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go tunnel(conn)
		}
	}()
	return ln
}

// tunnel serves one client of the proxy.
func tunnel(conn net.Conn) {
	defer conn.Close()
	request, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	server, err := net.Dial("tcp", request.Host)
	if err != nil {
		_, _ = io.WriteString(conn, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
		return
	}
	defer server.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() { _, _ = io.Copy(server, conn); _ = server.(*net.TCPConn).CloseWrite() }()
	_, _ = io.Copy(conn, server)
}
