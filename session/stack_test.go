package session

import (
	"context"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// A goroutine that has echoed a message and waits for the next has a stack of 2 KiB, the smallest there
// is. One that has grown stays so: a few bytes more at the deepest place cost an idle session 2 KiB.
func TestStacksOfThoseThatWait(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector takes stack, too")
	}
	ctx := context.Background() // that never ends, as most have that wait for ever
	for name, way := range map[string]struct {
		echo       func(*Session)
		goroutines int // of each session
	}{
		"Messages": {func(s *Session) {
			for payload := range s.Messages(ctx) {
				_ = s.Send(ctx, payload)
			}
		}, 1},
		"Recv": {func(s *Session) {
			for {
				ev, err := s.Recv(ctx)
				if err != nil {
					return
				}
				if ev.Kind == Message {
					_ = s.Send(ctx, ev.Payload)
				}
			}
		}, 1},
		"channels": {func(s *Session) {
			out := s.WriteChan()
			for ev := range s.ReadChan() {
				if ev.Kind == Message {
					out <- ev.Payload
				}
			}
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			const sessions = 400
			var all []*Session
			var done sync.WaitGroup
			before := stacks()
			for range sessions {
				s, _ := newFake(t, false, nil)
				conn := s.attach(newSink(), 0)
				all = append(all, s)
				done.Go(func() { way.echo(s) })
				_, _, err := conn.Feed(testkit.Frames("a"), false)
				require.NoError(t, err)
				for s.Stats().Sent == 0 {
					runtime.Gosched()
				}
			}
			each := float64(stacks()-before) / float64(sessions*way.goroutines)
			require.Less(t, each, float64(3<<10))
			for _, s := range all {
				s.CloseNow(errCut)
			}
			done.Wait()
		})
	}
}

// stacks returns the memory of all stacks, in bytes.
func stacks() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.StackInuse)
}
