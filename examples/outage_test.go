package examples

import (
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/netasync/netasync/internal/testkit"
)

// TestServerComesBack kills the server and starts it again: the client's session
// talks on.
func TestServerComesBack(t *testing.T) {
	for _, api := range []string{"chan", "inline"} {
		server, addr := serve(t, "echo-server", "-addr", "127.0.0.1:0", "-api", api)
		client := start(t, "echo-client", "-addr", addr, "-interval", "5ms", "-window", "8", "-retry", "20ms")
		client.line("<- ")
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		match(t, client.line("disconnected "), `^disconnected epoch=1 queued=\d+ \S.*$`)
		_, again := serve(t, "echo-server", "-addr", addr)
		if again != addr {
			t.Errorf("listening %s, want %s", again, addr)
		}
		match(t, client.line("connected "), `^connected epoch=2 `+regexp.QuoteMeta(addr)+`$`)
		for range 20 {
			client.line("<- ")
		}
		end := client.interrupt(os.Interrupt)
		if last := end.Rest[len(end.Rest)-1]; last != "closed clean" {
			t.Errorf("the last line is %q", last)
		}
	}
}

// TestClientStartsFirst starts the client before there is a server.
func TestClientStartsFirst(t *testing.T) {
	first, addr := serve(t, "echo-server", "-addr", "127.0.0.1:0")
	first.interrupt(syscall.SIGTERM) // leaves a free port behind
	client := start(t, "echo-client", "-addr", addr, "-interval", "0", "-n", "10", "-retry", "20ms")
	match(t, client.line("disconnected "), `^disconnected epoch=0 queued=\d+ \S.*refused$`)
	serve(t, "echo-server", "-addr", addr)
	client.line("connected epoch=1 ")
	client.content(10)
}

// TestSecondAddress gives the client a server that is not there, and one that is.
func TestSecondAddress(t *testing.T) {
	dead, nobody := serve(t, "echo-server", "-addr", "127.0.0.1:0")
	dead.interrupt(os.Interrupt)
	_, addr := serve(t, "echo-server", "-addr", "127.0.0.1:0")
	client := start(t, "echo-client", "-addr", nobody+","+addr, "-interval", "0", "-n", "10", "-retry", "20ms")
	client.line("connected epoch=1 " + addr)
	client.content(10)
}

// answer is a server of the test's own: it gives each message of the nth
// connection, from 0, to reply, and hangs up when that answers nothing.
func answer(t *testing.T, reply func(connection int, message string) string) string {
	t.Helper()
	listener := testkit.Listen(t)
	go func() {
		for n := 0; ; n++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			converse(conn, func(message string) string { return reply(n, message) })
		}
	}()
	return listener.Addr().String()
}

func converse(conn net.Conn, reply func(string) string) {
	defer conn.Close()
	for {
		message, err := testkit.ReadMessage(conn)
		if err != nil {
			return
		}
		text := reply(string(message))
		if text == "" {
			return
		}
		if _, err := conn.Write(testkit.Frames(text)); err != nil {
			return
		}
	}
}

// TestWrongReply lets a server answer wrongly, at once or after it hung up once.
func TestWrongReply(t *testing.T) {
	for outages := range 2 {
		addr := answer(t, func(connection int, message string) string {
			if connection < outages {
				return ""
			}
			return message + "?"
		})
		client := start(t, "echo-client", "-addr", addr, "-interval", "0", "-n", "3", "-retry", "10ms", "-quiet")
		end := client.ends(2)
		if !strings.Contains(end.Stderr, "wrong reply") {
			t.Errorf("stderr is %q", end.Stderr)
		}
	}
}

// TestLostInFlight hangs up three times on what was sent: at most once means
// lost, and the client carries on until its count is full.
func TestLostInFlight(t *testing.T) {
	for _, window := range []string{"1", "7"} {
		addr := answer(t, func(connection int, message string) string {
			if connection < 3 {
				return ""
			}
			return message
		})
		client := start(t, "echo-client", "-addr", addr, "-interval", "0", "-n", "20", "-window", window, "-retry", "10ms")
		for epoch := 1; epoch <= 3; epoch++ {
			client.line(fmt.Sprintf("connected epoch=%d ", epoch))
			client.line(fmt.Sprintf("disconnected epoch=%d ", epoch))
		}
		client.line("connected epoch=4 ")
		client.content(20)
	}
}
