package netasynctest_test

import (
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/netasync/netasync"
	nt "github.com/netasync/netasync/netasynctest"
)

var errCut = errors.New("cut by the test")

// life is a client and an echo server, with what is between them.
type life struct {
	t      *testing.T
	w      way
	net    *nt.Network
	link   *nt.Link
	client *netasync.Session
	source nt.Source
}

// inBubble begins a life in fake time. It ends with no more than the end of the test.
func inBubble(t *testing.T, w way, test func(l *life)) {
	synctest.Test(t, func(t *testing.T) {
		n := nt.NewNetwork(t)
		w.echo(t, n.Engine("server", netasync.EngineOptions{}))
		client, source := w.connect(t, n.Engine("client", netasync.EngineOptions{}), "server:1")
		l := &life{t, w, n, n.Link("client", "server"), client, source}
		l.expect(nt.IsConnected)
		l.converse("hello")
		test(l)
	})
}

func (l *life) expect(events ...nt.Matcher) {
	l.t.Helper()
	nt.ExpectWithin(l.t, time.Minute, l.source, events...)
}

// converse sends something, and hears it back. It returns how long that took.
func (l *life) converse(text string) time.Duration {
	l.t.Helper()
	begin := time.Now()
	l.w.send(l.t, l.client, text)
	l.expect(nt.IsMessage(text))
	return time.Since(begin)
}

// want fails the test of what took another time.
func (l *life) want(what string, want, took time.Duration) {
	l.t.Helper()
	if took != want {
		l.t.Fatalf("%s took %v, not %v", what, took, want)
	}
}

// Each fault, with what the client hears of it. Afterwards both ends talk as before.
var faults = map[string]func(l *life){
	"cut": func(l *life) {
		l.link.Cut(nil)
		l.expect(nt.IsDisconnected(syscall.ECONNRESET), nt.IsConnected)
	},
	"cut by an error": func(l *life) {
		l.link.Cut(errCut)
		l.expect(nt.IsDisconnected(errCut), nt.IsConnected)
	},
	"close": func(l *life) {
		l.link.Close()
		l.expect(nt.IsDisconnected(io.EOF), nt.IsConnected)
	},
	"vanish": func(l *life) {
		begin := time.Now()
		l.link.Vanish()
		l.expect(nt.IsDisconnected(netasync.ErrHeartbeatTimeout))
		l.want("to find out", 20*time.Second, time.Since(begin))
		l.w.send(l.t, l.client, "kept")
		nt.Quiet(l.t, l.source, time.Minute) // dials time out
		l.link.Heal()
		l.expect(nt.IsConnected, nt.IsMessage("kept"))
	},
	"vanish for a moment": func(l *life) {
		l.link.Vanish()
		l.w.send(l.t, l.client, "late")
		nt.Quiet(l.t, l.source, 19*time.Second)
		l.link.Heal()
		l.expect(nt.IsMessage("late"))
	},
	"cut while nothing passes": func(l *life) {
		l.link.Vanish()
		l.link.Cut(nil)
		l.expect(nt.IsDisconnected(syscall.ECONNRESET))
		nt.Quiet(l.t, l.source, time.Minute)
		l.link.Heal()
		l.expect(nt.IsConnected)
	},
	"one way to the server": func(l *life) {
		l.link.OneWay("server")
		l.expect(nt.IsDisconnected(netasync.ErrHeartbeatTimeout))
		nt.Quiet(l.t, l.source, time.Minute)
		l.link.Heal()
		l.expect(nt.IsConnected)
	},
	"one way to the client": func(l *life) {
		l.link.OneWay("client")
		l.expect(nt.IsDisconnected(io.EOF)) // the server gives up
		nt.Quiet(l.t, l.source, time.Minute)
		l.link.Heal()
		l.expect(nt.IsConnected)
	},
	"cut within a frame": func(l *life) {
		for n := range len("----message") {
			synctest.Wait() // heartbeats count
			l.link.To("server").CutAfter(n)
			l.w.send(l.t, l.client, "message")
			l.expect(nt.IsDisconnected(syscall.ECONNRESET), nt.IsConnected, nt.IsMessage("message"))
		}
	},
	"cut within an answer": func(l *life) {
		for n := range len("----message") {
			synctest.Wait() // and so does the greeting
			l.link.To("client").CutAfter(n)
			l.w.send(l.t, l.client, "message")
			l.expect(nt.IsDisconnected(syscall.ECONNRESET), nt.IsConnected) // it was told nothing of more
		}
	},
	"latency": func(l *life) {
		l.link.Latency(time.Second, 0)
		l.want("an echo", 2*time.Second, l.converse("slow"))
		l.link.Latency(0, 0)
		l.want("an echo", 0, l.converse("quick"))
	},
	"bandwidth": func(l *life) {
		l.link.To("server").Bandwidth(1000)
		l.want("996 bytes and their length", time.Second, l.converse(strings.Repeat("m", 996)))
		l.link.Bandwidth(0)
		l.want("an echo", 0, l.converse("quick"))
	},
	"no room": func(l *life) {
		l.link.Buffer(1)
		l.converse(strings.Repeat("byte by byte", 100))
		l.link.Buffer(0)
	},
	"refuse": func(l *life) {
		l.net.Refuse("server", errCut)
		nt.Quiet(l.t, l.source, time.Second)
		l.link.Cut(nil)
		l.expect(nt.IsDisconnected(syscall.ECONNRESET))
		nt.Quiet(l.t, l.source, time.Minute)
		if err := l.client.Stats().LastError; !errors.Is(err, errCut) {
			l.t.Fatalf("the last error is %v", err)
		}
		l.net.Refuse("server", nil)
		l.expect(nt.IsConnected)
	},
}

// Every fault in every way to use sessions, in fake time: nobody is to close anything.
func TestFaults(t *testing.T) {
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			everyWay(t, func(t *testing.T, w way) {
				inBubble(t, w, func(l *life) {
					fault(l)
					l.converse("goodbye")
					nt.Quiet(t, l.source, time.Minute)
				})
			})
		})
	}
}

// Faults of clients that nobody reads: the bubble ends all the same, with the test.
func TestFaultsUnread(t *testing.T) {
	for name, fault := range map[string]func(l *nt.Link){
		"none":   func(*nt.Link) {},
		"cut":    func(l *nt.Link) { l.Cut(nil) },
		"close":  func(l *nt.Link) { l.Close() },
		"vanish": func(l *nt.Link) { l.Vanish() },
	} {
		t.Run(name, func(t *testing.T) {
			everyWay(t, func(t *testing.T, w way) {
				inBubble(t, w, func(l *life) {
					for range 1000 { // more than fits
						if l.client.TrySend(make([]byte, 1000)) != nil {
							time.Sleep(time.Millisecond)
						}
					}
					fault(l.link)
					time.Sleep(time.Minute)
				})
			})
		})
	}
}
