package debugpage_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/debugpage"
)

const crowd = 15_000

// However many sessions there are, a page is small.
func TestPageOfACrowd(t *testing.T) {
	h := debugpage.Handler(many(crowd, "agents"))
	require.Less(t, get(t, h, "/").Body.Len(), 128<<10)
	require.Less(t, get(t, h, "/sessions?limit=1000").Body.Len(), 2<<20)
	last := decode[sessions](t, h, "/sessions?sort=oldest&limit=1000&offset=14500")
	require.Equal(t, []int{crowd, crowd, 500}, []int{last.Total, last.Matching, len(last.Sessions)})
}

func BenchmarkPageOfACrowd(b *testing.B) {
	h := debugpage.Handler(many(crowd, "agents"))
	for _, path := range []string{"/", "/sessions?limit=1000", "/?format=json&limit=1", "/sessions?q=9000"} {
		b.Run(path, func(b *testing.B) {
			for b.Loop() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			}
		})
	}
}

// It can be looked at while sessions come and go, and sums never get smaller.
func TestLookedAtWhileSessionsChurn(t *testing.T) {
	s := newScene(t, netasync.ListenOptions{OnEvent: func(*netasync.Session, netasync.Event) {}})
	var churn sync.WaitGroup
	for range 4 {
		churn.Go(func() {
			for range 25 {
				c, err := s.engine.Connect(s.listener.Addr().String(), netasync.ConnectOptions{Name: "client"})
				if err != nil || c.Send(t.Context(), []byte("message")) != nil || c.Close() != nil {
					t.Error("a session failed")
					return
				}
				<-c.Done()
			}
		})
	}
	over := make(chan struct{})
	go func() { churn.Wait(); close(over) }()
	var before debugpage.Overview
	for running := true; running; {
		select {
		case <-over:
			running = false
		default:
		}
		now := debugpage.Snapshot(s.engine)
		for _, was := range before.Names {
			for _, is := range now.Names {
				if was.Name == is.Name {
					require.GreaterOrEqual(t, is.Sent, was.Sent)
					require.GreaterOrEqual(t, is.Connections, was.Connections)
				}
			}
		}
		before = now
		for _, path := range []string{"/", "/sessions?sort=newest", "/events", "/closed", "/sessions/1"} {
			get(t, s.page, path)
		}
	}
}
