//go:build linux

package chaos

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// serverVariable is the environment variable that makes a server process of the test's binary. Its
// value is a serverConfig.
const serverVariable = "NETASYNC_CHAOS_SERVER"

// serverConfig is what a server process is told. It serves until its standard input ends. It writes
// lines: "port" and the index and number of each of its ports, "ready", "violation" and what was,
// "end" when all has ended and is where it began.
type serverConfig struct {
	Dir         string // of the certificate and the ledgers
	Incarnation uint32 // how many processes were before it
	Ports       []int  // where to listen; 0 is any
	Seed        uint64
}

// say writes a line, by one write, so that none is torn when the process is killed.
func say(format string, args ...any) { fmt.Println(fmt.Sprintf(format, args...)) }

// violation says that a promise was broken.
func violation(format string, args ...any) { say("violation "+format, args...) }

// server is a server process.
type server struct {
	serverConfig
	ledger ledger
	guests atomic.Uint32 // how many sessions were accepted
}

// serve is the server process, and returns its exit code.
func serve(config string) int {
	var s server
	if err := json.Unmarshal([]byte(config), &s.serverConfig); err != nil {
		return fail(err)
	}
	var err error
	if s.ledger, err = openLedger(s.Dir, s.Incarnation); err != nil {
		return fail(err)
	}
	content()
	open, since, heap := descriptors(), testkit.StartedSince(), testkit.Heap()
	if err := s.run(); err != nil {
		return fail(err)
	}
	if err := restored(open, since, heap); err != nil {
		violation("the server left something: %v", err)
	}
	say("end")
	return 0
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "server:", err)
	return 1
}

// run serves until standard input ends.
func (s *server) run() error {
	cert, err := tls.LoadX509KeyPair(filepath.Join(s.Dir, certFile), filepath.Join(s.Dir, keyFile))
	if err != nil {
		return err
	}
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		return err
	}
	for i := range ports {
		o := s.options(way(i) % ways)
		if i >= int(ways) {
			o.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, SessionTicketsDisabled: true}
		}
		ln, err := listenAgain(engine, s.Ports[i], o)
		if err != nil {
			return err
		}
		go s.accept(way(i)%ways, ln)
		_, port, _ := strings.Cut(ln.Addr().String(), ":")
		say("port %d %s", i, port)
	}
	say("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	var unsent *netasync.UnsentError
	if err := engine.Shutdown(ctx); err != nil && !errors.As(err, &unsent) {
		return fmt.Errorf("shutdown: %w", err)
	}
	return nil
}

// listenAgain listens at a port that somebody may have taken for a moment while nobody listened.
func listenAgain(e *netasync.Engine, port int, o netasync.ListenOptions) (*netasync.Listener, error) {
	for deadline := time.Now().Add(testkit.Patience); ; time.Sleep(20 * time.Millisecond) {
		ln, err := e.Listen(fmt.Sprintf("127.0.0.1:%d", port), o)
		if err == nil || time.Now().After(deadline) {
			return ln, err
		}
	}
}

// options returns those of the listener for a way to consume.
func (s *server) options(w way) netasync.ListenOptions {
	o := netasync.ListenOptions{
		ReadBuffer: netasync.Fixed(16), MaxPayload: maxMessage, Inline: w == byInline,
		HeartbeatPeriod: period, HeartbeatTimeout: timeout,
	}
	if w == byCallback || w == byInline {
		o.OnEvent = s.onEvent
	}
	return o
}

// accept serves the sessions that a listener hands out.
func (s *server) accept(w way, ln *netasync.Listener) {
	for session := range ln.AcceptChan() {
		g := s.welcome(session)
		if w == byChannels {
			go g.readChan()
			go g.talk(g.putOnChan)
		} else {
			go g.recv()
			go g.talk(g.send)
		}
	}
}

// onEvent is the callback of sessions that announce themselves. Each message is answered by one.
func (s *server) onEvent(session *netasync.Session, ev netasync.Event) {
	g, _ := session.Value().(*guest)
	if g == nil {
		g = s.welcome(session)
		session.SetValue(g)
		close(g.talked) // it talks in its callbacks
	}
	g.event(ev)
	if ev.Kind == netasync.Connected || ev.Kind == netasync.Message {
		g.speak(g.send)
	}
}

// restored says what is not as it was: descriptors, goroutines, and bytes on the heap.
func restored(open int, since func() []string, heap int64) error {
	const slack = 8 << 20 // pools, and what the runtime keeps
	var left []string
	for deadline := time.Now().Add(testkit.Patience); ; time.Sleep(20 * time.Millisecond) {
		now, bytes := descriptors(), testkit.Heap()
		left = since()
		if now <= open && len(left) == 0 && bytes < heap+slack {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d descriptors were open, %d are; the heap had %d bytes, and has %d; %d goroutines are left: %s",
				open, now, heap, bytes, len(left), strings.Join(left[:min(len(left), 3)], "\n\n"))
		}
	}
}
