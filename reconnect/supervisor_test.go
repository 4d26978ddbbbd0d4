package reconnect

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var errCut = errors.New("cut")

var errDown = errors.New("down")

// world is a network that a supervisor dials: it knows which endpoints answer.
type world struct {
	mu     sync.Mutex
	up     map[string]bool
	dialed []string
	given  error
	work   sync.WaitGroup
}

func (w *world) supervisor(ctx context.Context, attempts int, endpoints ...string) *Supervisor {
	b, _ := FixedDelay(time.Second).Resolve()
	return NewSupervisor(ctx, Plan{
		Backoff: b, Timeout: time.Minute, Attempts: attempts,
		Endpoints: func(context.Context) ([]string, error) { return endpoints, nil },
		Dial: func(_ context.Context, addr string) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.dialed = append(w.dialed, addr)
			if w.up[addr] {
				return nil
			}
			return fmt.Errorf("%s: %w", addr, errDown)
		},
		Begin:  func() bool { return true },
		Failed: func(error) {},
		GiveUp: func(err error) { w.mu.Lock(); w.given = err; w.mu.Unlock() },
		Go:     w.work.Go,
	})
}

func (w *world) history() []string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.dialed
	w.dialed = nil
	return h
}

// One attempt tries each endpoint once, in turn. What proved itself is tried
// first the next time; what hung up at once is not.
func TestEndpointsInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{up: map[string]bool{"c": true}}
		v := w.supervisor(t.Context(), 0, "a", "b", "c")
		v.Start()
		require.Equal(t, []string{"a", "b", "c"}, w.history())
		v.Redial(true, errCut)
		time.Sleep(time.Second)
		require.Equal(t, []string{"c"}, w.history())
		w.up["a"] = true
		v.Redial(false, errCut)
		time.Sleep(time.Second)
		require.Equal(t, []string{"a"}, w.history())
		v.Stop()
		w.work.Wait()
	})
}

// MaxAttempts counts failures in a row, and reports the last.
func TestGivesUpAfterSoManyFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{up: map[string]bool{"a": true}}
		v := w.supervisor(t.Context(), 3, "a")
		v.Start()
		require.Len(t, w.history(), 1)
		w.up["a"] = false
		v.Redial(true, errCut)
		time.Sleep(time.Minute)
		require.Len(t, w.history(), 3)
		require.ErrorIs(t, w.given, errDown)
		w.work.Wait()
		v.Stop()
	})
}

// A connection that is lost before it has proved itself is a failure, too, whose cause is not lost.
func TestGivesUpWithTheCauseOfTheLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{up: map[string]bool{"a": true}}
		v := w.supervisor(t.Context(), 1, "a")
		v.Start()
		require.Len(t, w.history(), 1)
		v.Redial(false, errCut)
		synctest.Wait()
		require.ErrorIs(t, w.given, errCut)
		require.ErrorIs(t, w.given, errUnproven)
		w.work.Wait()
		v.Stop()
	})
}

// A connection that is lost before its dial has returned is not forgotten.
func TestRedialDuringTheHandover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		v := w.supervisor(t.Context(), 0, "a")
		dials := 0
		v.plan.Dial = func(context.Context, string) error {
			if dials++; dials == 1 {
				v.Redial(true, errCut)
			}
			return nil
		}
		v.Start()
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, 2, dials)
		v.Stop()
		w.work.Wait()
	})
}

// An answer of the resolver that is no use is a failed attempt.
func TestResolverErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		v := w.supervisor(t.Context(), 2)
		var failures []error
		v.plan.Failed = func(err error) { failures = append(failures, err) }
		asked := 0
		v.plan.Endpoints = func(context.Context) ([]string, error) {
			if asked++; asked == 1 {
				return nil, errDown
			}
			return nil, nil
		}
		v.Start()
		w.work.Wait()
		require.Len(t, failures, 2)
		require.ErrorIs(t, failures[0], errDown)
		require.ErrorContains(t, failures[1], "no addresses")
		v.Stop()
	})
}

// An answer that changed is tried from its beginning, wherever the former one was left.
func TestChangedAnswerIsTriedFromItsBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{up: map[string]bool{"follower": true, "leader": true, "other": true}}
		v := w.supervisor(t.Context(), 0)
		answer := []string{"down", "follower"}
		v.plan.Endpoints = func(context.Context) ([]string, error) { return answer, nil }
		v.Start()
		require.Equal(t, []string{"down", "follower"}, w.history())
		v.Redial(true, errCut)
		time.Sleep(time.Second)
		require.Equal(t, []string{"follower"}, w.history())
		answer = []string{"leader", "other"}
		v.Redial(true, errCut)
		time.Sleep(time.Second)
		require.Equal(t, []string{"leader"}, w.history())
		answer[0] = "other" // the same memory, which is the user's
		v.Redial(true, errCut)
		time.Sleep(time.Second)
		require.Equal(t, []string{"other"}, w.history())
		v.Stop()
		w.work.Wait()
	})
}

// A resolver that ignores its context is abandoned after the timeout, which is a failed attempt. It
// is not asked again before it has returned.
func TestResolverThatDoesNotReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{up: map[string]bool{"a": true}}
		v := w.supervisor(t.Context(), 0)
		release := make(chan struct{})
		asked, failed := 0, []time.Duration(nil)
		start := time.Now()
		v.plan.Failed = func(err error) {
			require.ErrorIs(t, err, context.DeadlineExceeded)
			failed = append(failed, time.Since(start))
		}
		v.plan.Endpoints = func(context.Context) ([]string, error) {
			if asked++; asked == 1 {
				<-release
			}
			return []string{"a"}, nil
		}
		v.Start()
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		require.Equal(t, []time.Duration{time.Minute, 2*time.Minute + time.Second}, failed)
		require.Equal(t, 1, asked)
		close(release)
		require.Equal(t, []string{"a"}, w.history())
		require.Equal(t, 2, asked)
		v.Stop()
		w.work.Wait()
	})
}

// Stop does not wait for a resolver that ignores its context, and leaves it to whoever waits for the
// goroutines.
func TestStopBesideAResolverThatDoesNotReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		v := w.supervisor(t.Context(), 0)
		release := make(chan struct{})
		v.plan.Endpoints = func(context.Context) ([]string, error) { <-release; return nil, nil }
		v.Start()
		synctest.Wait()
		v.Stop()
		synctest.Wait()
		time.AfterFunc(time.Hour, func() { close(release) })
		start := time.Now()
		w.work.Wait()
		require.Equal(t, time.Hour, time.Since(start))
		require.Empty(t, w.history())
	})
}

// Stop ends the back-off, and the context does as well.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, how := range []string{"stop", "context"} {
			ctx, cancel := context.WithCancel(t.Context())
			w := &world{}
			v := w.supervisor(ctx, 0, "a")
			v.Start()
			synctest.Wait()
			if how == "stop" {
				v.Stop()
			}
			cancel()
			start := time.Now()
			w.work.Wait()
			require.Zero(t, time.Since(start), how)
		}
	})
}

// Where only the endpoint of the last connection is of use, an attempt begins with it, whether that
// connection has proved itself or not; another one's turn comes when it cannot be reached.
func TestStaysWithItsEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{up: map[string]bool{"b": true, "c": true}}
		v := w.supervisor(t.Context(), 0, "a", "b", "c")
		stays := true
		v.plan.Stays = func() bool { return stays }
		v.Start()
		require.Equal(t, []string{"a", "b"}, w.history())
		for range 3 {
			v.Redial(false, errCut)
			time.Sleep(time.Minute)
			require.Equal(t, []string{"b"}, w.history())
		}
		w.up["b"] = false
		v.Redial(false, errCut)
		time.Sleep(time.Minute)
		require.Equal(t, []string{"b", "c"}, w.history())
		stays, w.up["a"] = false, true
		v.Redial(false, errCut)
		time.Sleep(time.Minute)
		require.Equal(t, []string{"a"}, w.history())
		v.Stop()
		w.work.Wait()
	})
}
