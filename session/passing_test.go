package session

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// While a callback runs on an event loop, others wait for room as ever: what is queued stays within
// the bound and what the callback itself sent.
func TestOthersStayWithinTheBoundDuringATurn(t *testing.T) {
	for _, c := range []struct {
		name string
		own  int // that the callback sends
	}{{"it sends nothing", 0}, {"it sends as much as the bound", 8}, {"it passes the bound", 500}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				s, _ := newFake(t, false, func(cfg *Config) {
					cfg.Inline, cfg.WriteBuffer = true, Fixed(8)
					cfg.HeartbeatTimeout = time.Hour
					cfg.OnEvent = func(s *Session, ev Event) {
						if ev.Kind == Message {
							for range c.own {
								_ = s.Send(context.Background(), []byte("by the callback"))
							}
							<-release
							for range c.own {
								_ = s.Send(context.Background(), []byte("by the callback"))
							}
						}
					}
				})
				link := newFakeLink(0)
				conn := s.attach(link, 0)
				conn.Start(true)
				var turn, others sync.WaitGroup
				turn.Go(func() { _, _, _ = conn.Feed(testkit.Frames("message"), true) })
				synctest.Wait()
				w := s.WriteChan()
				const each = 200
				for range 100 {
					others.Go(func() {
						for range each {
							_ = s.Send(context.Background(), []byte("by another"))
						}
					})
				}
				others.Go(func() {
					for range each {
						w <- []byte("by the channel")
					}
				})
				synctest.Wait()
				require.LessOrEqual(t, s.Stats().Queued, max(8, c.own))
				close(release)
				turn.Wait()
				synctest.Wait()
				require.LessOrEqual(t, s.Stats().Queued, 8+2*c.own)

				link.allow(unbounded)
				others.Wait() // none that waits was forgotten
				synctest.Wait()
				require.EqualValues(t, 101*each+2*c.own, s.Stats().Sent)
				s.CloseNow(errCut)
				synctest.Wait()
				close(w)
			})
		})
	}
}

// A callback on an event loop may wait for another's Send, or for its own channel: what is queued
// is written meanwhile.
func TestTurnDoesNotHoldUpThoseThatWait(t *testing.T) {
	for name, wait := range map[string]func(s *Session, n int){
		"another's Send": func(s *Session, n int) {
			var other sync.WaitGroup
			other.Go(func() {
				for range n {
					_ = s.Send(context.Background(), []byte("m"))
				}
			})
			other.Wait()
		},
		"its channel": func(s *Session, n int) {
			for range n {
				s.WriteChan() <- []byte("m")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const n = 1000
				s, _ := newFake(t, false, func(cfg *Config) {
					cfg.Inline, cfg.WriteBuffer = true, Fixed(8)
					cfg.OnEvent = func(s *Session, ev Event) {
						if ev.Kind == Message {
							wait(s, n)
						}
					}
				})
				link := newFakeLink(unbounded)
				conn := s.attach(link, 0)
				conn.Start(true)
				_, _, err := conn.Feed(testkit.Frames("message"), true)
				require.NoError(t, err)
				synctest.Wait()
				require.Len(t, link.written(), n*len(testkit.Frames("m")))
				s.CloseNow(errCut)
				synctest.Wait()
				close(s.WriteChan())
			})
		})
	}
}

// What is lent for the turn is copied before another goroutine writes it, which may be later.
func TestTurnThatIsWrittenByAnotherLendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		message := strings.Repeat("a", 2*copyLimit)
		s, _ := newFake(t, false, func(cfg *Config) {
			cfg.Inline, cfg.WriteBuffer = true, Fixed(2)
			cfg.OnEvent = func(s *Session, ev Event) {
				if ev.Kind == Message {
					_ = s.Send(context.Background(), ev.Payload)
					go func() { _ = s.Send(context.Background(), []byte("another")) }()
					synctest.Wait()
				}
			}
		})
		link := newFakeLink(0)
		conn := s.attach(link, 0)
		conn.Start(true)
		buf := testkit.Frames(message, message, message)
		_, _, err := conn.Feed(buf, true)
		require.NoError(t, err)
		clear(buf)
		link.allow(unbounded)
		synctest.Wait()
		got := string(link.written())
		require.Equal(t, 3, strings.Count(got, message))
		require.Equal(t, 3, strings.Count(got, "another"))
		s.CloseNow(errCut)
	})
}

// The callback is known however deep it sends, and whether it is one of a lifecycle event.
func TestACallbackPassesFromAnyDepth(t *testing.T) {
	var sendAt func(s *Session, depth int)
	sendAt = func(s *Session, depth int) {
		if depth > 0 {
			sendAt(s, depth-1)
			return
		}
		_ = s.Send(context.Background(), []byte("m"))
	}
	for name, kind := range map[string]EventKind{"Connected": Connected, "Message": Message} {
		t.Run(name, func(t *testing.T) {
			s, _ := newFake(t, false, func(cfg *Config) {
				cfg.Inline, cfg.WriteBuffer = true, Fixed(1)
				cfg.OnEvent = func(s *Session, ev Event) {
					if ev.Kind == kind {
						for i := range 20 {
							sendAt(s, i*i)
						}
					}
				}
			})
			conn := s.attach(newFakeLink(0), 0)
			conn.Start(true)
			_, _, err := conn.Feed(testkit.Frames("message"), true)
			require.NoError(t, err)
			require.Equal(t, 20, s.Stats().Queued)
			s.CloseNow(errCut)
		})
	}
}

// A pipeline that passes the bound in each turn.
func BenchmarkEchoPastTheBound(b *testing.B) {
	for name, depths := range map[string]int{"one path": 1, "two paths": 2} {
		b.Run(name, func(b *testing.B) {
			var p []byte
			for range 30 {
				more, _ := pipeline()
				p = append(p, more...)
			}
			i := 0
			s, _ := newFake(b, false, func(c *Config) {
				c.Inline = true
				c.OnEvent = func(s *Session, ev Event) {
					if i++; ev.Kind == Message && i%depths == 0 {
						_ = s.Send(context.Background(), ev.Payload)
					} else if ev.Kind == Message {
						sendDeeper(s, ev.Payload)
					}
				}
			})
			conn := s.attach(newSink(), 0)
			conn.Start(true)
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			for b.Loop() {
				_, _, _ = conn.Feed(p, true)
			}
			s.CloseNow(errCut)
		})
	}
}

//go:noinline
func sendDeeper(s *Session, p []byte) { _ = s.Send(context.Background(), p) }
