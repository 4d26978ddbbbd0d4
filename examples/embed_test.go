package examples

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/netasync/netasync/internal/testkit"
)

// TestEmbedSpeaksBoth has HTTP and messages answered at one port.
func TestEmbedSpeaksBoth(t *testing.T) {
	server, addr := serve(t, "embed", "-addr", "tcp://127.0.0.1:0")
	web := &http.Client{Timeout: patience}
	for range 3 {
		start(t, "echo-client", "-addr", addr, "-interval", "0", "-n", "100", "-window", "10", "-quiet").content(100)

		response, err := web.Get("http://" + addr + "/some/path")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK || !strings.Contains(string(body), "/some/path") {
			t.Errorf("%s: %q", response.Status, body)
		}
	}
	start(t, "echo-client", "-addr", addr, "-interval", "0", "-n", "5", "-size", "3000000", "-quiet").content(5)
	if end := server.interrupt(os.Interrupt); len(end.Rest) > 0 {
		t.Errorf("more lines on stdout than listening: %q", end.Rest)
	}
}

// TestEmbedWaitsForTheFirstBytes dribbles both openings.
func TestEmbedWaitsForTheFirstBytes(t *testing.T) {
	_, addr := serve(t, "embed", "-addr", "tcp://127.0.0.1:0")
	for opening, want := range map[string]string{
		"GET / HTTP/1.1\r\n\r\n":            "HTTP/1.1 200 OK\r\n",
		"\x00\x00\x00\x02GE":                greeting + "\x00\x00\x00\x02GE",
		"\x00\x00\x00\x04GET ":              greeting + "\x00\x00\x00\x04GET ",
		"\x00\x00\x00\x00\x00\x00\x00\x01x": greeting + "\x00\x00\x00\x01x",
	} {
		conn := testkit.DialAt(t, addr)
		for i := range opening {
			testkit.Write(t, conn, []byte(opening[i:i+1]))
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
			t.Errorf("%q: got %q, %v", opening, got, err)
		}
	}
}

// TestEmbedEndsWithItsClients interrupts the server while clients of both kinds
// and silent ones are connected.
func TestEmbedEndsWithItsClients(t *testing.T) {
	server, addr := serve(t, "embed", "-addr", "tcp://127.0.0.1:0")
	client := start(t, "echo-client", "-addr", addr, "-interval", "1ms")
	client.line("<- ")
	testkit.DialAt(t, addr)
	testkit.Write(t, testkit.DialAt(t, addr), []byte("GE"))
	server.interrupt(os.Interrupt)
	client.line("disconnected ")
}

// TestEmbedSurvivesACrowd has many more connections come than it may serve.
func TestEmbedSurvivesACrowd(t *testing.T) {
	_, addr := serve(t, "embed", "-addr", "tcp://127.0.0.1:0", "-max-sessions", "10")
	var crowd []net.Conn
	for range 10 {
		conn := testkit.DialAt(t, addr)
		testkit.Write(t, conn, testkit.Frames("x"))
		if _, err := testkit.ReadMessage(conn); err != nil { // the echo: it is in
			t.Fatal(err)
		}
		crowd = append(crowd, conn)
	}
	for range 100 { // each is closed at once
		conn := testkit.DialAt(t, addr)
		if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("it is served: %v", err)
		}
	}
	for _, conn := range crowd {
		conn.Close()
	}
	start(t, "echo-client", "-addr", addr, "-interval", "0", "-n", "5", "-quiet").content(5)
}
