package examples

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/netasync/netasync/internal/testkit"
)

func TestEveryAPIEchoes(t *testing.T) {
	for _, api := range []string{"chan", "recv", "callback", "inline"} {
		t.Run(api, func(t *testing.T) {
			server, addr := serve(t, "echo-server", "-addr", "127.0.0.1:0", "-api", api, "-loops", "1")
			for i, args := range [][]string{
				{"-n", "100"},
				{"-n", "1000", "-window", "50"},
				{"-n", "20", "-window", "5", "-size", "300000"},
				{"-n", "1", "-size", "4000000"},
			} {
				client := start(t, "echo-client", append(args, "-addr", addr, "-interval", "0", "-quiet")...)
				n := 0
				_, _ = fmt.Sscan(args[1], &n)
				client.content(n)
				s := fmt.Sprintf("session %d ", i+1)
				match(t, server.line(s+"connected "), `^`+s+`connected 127\.0\.0\.1:\d+$`)
				match(t, server.line(s+"closed "), `^`+s+`closed \S.*$`)
			}
			server.interrupt(os.Interrupt)
		})
	}
}

func match(t *testing.T, line, pattern string) {
	t.Helper()
	if !regexp.MustCompile(pattern).MatchString(line) {
		t.Errorf("%q does not match %s", line, pattern)
	}
}

// TestConversation pins the lines of a client, word by word.
func TestConversation(t *testing.T) {
	_, addr := serve(t, "echo-server", "-addr", "127.0.0.1:0", "-prefix", "re: ")
	client := start(t, "echo-client", "-addr", addr, "-interval", "1ms", "-n", "2")
	number := strings.TrimPrefix(client.line("-> "), "-> ")
	match(t, number, `^\d+$`)
	if got := client.line("<- "); got != "<- re: "+number {
		t.Errorf("got %q, want the number %s", got, number)
	}
	client.line("-> ")
	client.line("<- ")
	if got := client.line("closed "); got != "closed clean" {
		t.Errorf("got %q", got)
	}
	match(t, client.line("ok "), okLine.String())
	client.ends(0)

	client = start(t, "echo-client", "-addr", addr, "-interval", "0", "-n", "1", "-size", "1000")
	match(t, client.line("connected "), `^connected epoch=1 `+regexp.QuoteMeta(addr)+`$`)
	if got := client.line("<- "); len(got) > 200 {
		t.Errorf("a long message is printed in %d bytes", len(got))
	}
	client.ends(0)
}

// greeting is the heartbeat by which an accepted session begins.
const greeting = "\x00\x00\x00\x00"

// TestUnchangedEcho looks at the bytes: with an empty prefix, exactly what was sent comes back, behind
// the greeting.
func TestUnchangedEcho(t *testing.T) {
	for _, api := range []string{"chan", "recv", "callback", "inline"} {
		_, addr := serve(t, "echo-server", "-addr", "127.0.0.1:0", "-prefix", "", "-api", api, "-read-cap", "2", "-quiet")
		conn := testkit.DialAt(t, addr)
		testkit.Write(t, conn, []byte("\x00\x00\x00\x05hello\x00\x00\x00\x00\x00\x00\x00\x02\x00\xff"))
		want := greeting + "\x00\x00\x00\x05hello\x00\x00\x00\x02\x00\xff"
		got := make([]byte, len(want))
		if _, err := io.ReadFull(conn, got); err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s: got %q, want %q", api, got, want)
		}
	}
}

// TestDelayPushesBack makes the server slower than the client, and interrupts it with
// replies piled up: the end does not wait for the delays.
func TestDelayPushesBack(t *testing.T) {
	for _, api := range []string{"chan", "recv", "callback", "inline"} {
		server, addr := serve(t, "echo-server", "-addr", "127.0.0.1:0", "-api", api, "-read-cap", "4", "-delay", "2ms")
		start(t, "echo-client", "-addr", addr, "-interval", "0", "-n", "50", "-window", "50", "-quiet").content(50)
		server.interrupt(os.Interrupt)

		server, addr = serve(t, "echo-server", "-addr", "127.0.0.1:0", "-api", api, "-delay", "1h")
		client := start(t, "echo-client", "-addr", addr, "-interval", "0", "-window", "50")
		for range 50 {
			client.line("-> ")
		}
		server.line("session 1 connected ")
		server.interrupt(os.Interrupt)
	}
}

// TestSignals ends every program gracefully, with a conversation under way.
func TestSignals(t *testing.T) {
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		server, addr := serve(t, "echo-server", "-addr", "127.0.0.1:0")
		client := start(t, "echo-client", "-addr", addr, "-interval", "1ms")
		client.line("<- ")
		end := client.interrupt(sig)
		for _, line := range end.Rest {
			if strings.HasPrefix(line, "ok ") {
				t.Errorf("%q, though nothing was asked for", line)
			}
		}
		client = start(t, "echo-client", "-addr", addr, "-interval", "1ms", "-retry", "10ms")
		client.line("<- ")
		server.interrupt(sig)
		client.line("disconnected ")
		client.interrupt(sig) // while it is down
	}
}
