package prom_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/netasynctest"
	"github.com/netasync/netasync/prom"
)

// What engines live through is told exactly, by each and by all together.
func TestScriptedEngines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client, mobile := script(t)
		var text string
		for _, e := range []struct {
			name   string
			engine *netasync.Engine
		}{{"server", server}, {"client", client}, {"mobile", mobile}} {
			text += "# " + e.name + "\n" + scrape(t, e.engine).String()
		}
		requireGolden(t, "script.txt", text)
		all := scrape(t, server, client, mobile)
		for direction, want := range map[string]int{"receive": 7, "transmit": 5} {
			require.EqualValues(t, want, all[`netasync_messages_total{direction="`+direction+`",name="shop"}`],
				"the server's and the client's, which have the same name")
		}
	})
}

// A thousand sessions come and go on both sides of a network that is cut all the time, and nobody who
// looks ever sees a counter smaller than before; nor when the engines end, and afterwards.
func TestCountersNeverDecrease(t *testing.T) {
	const sessions, workers = 1000, 20
	n := netasynctest.NewNetwork(t)
	server, client := n.Engine("server", netasync.EngineOptions{}), n.Engine("client", netasync.EngineOptions{})
	l, err := server.Listen("server:1", netasync.ListenOptions{Name: "both", OnEvent: func(s *netasync.Session, ev netasync.Event) {
		if ev.Kind == netasync.Message {
			_ = s.TrySend(ev.Payload)
		}
	}})
	require.NoError(t, err)

	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(prom.NewCollector(server, client)))
	ctx, stop := context.WithCancel(t.Context())
	var scrapers sync.WaitGroup
	scrapes := 0
	var last figures
	look := func() {
		families, err := registry.Gather()
		if err == nil {
			now := flatten(families)
			err = decreased(last, now)
			last = now
			scrapes++
		}
		if err != nil {
			t.Error(err)
			stop()
		}
	}
	scrapers.Go(func() {
		for ctx.Err() == nil {
			look()
		}
	})

	var work sync.WaitGroup
	for w := range workers {
		work.Go(func() {
			for range sessions / workers {
				live(t, client, l.Addr().String(), w)
			}
		})
	}
	cut := time.NewTicker(20 * time.Millisecond)
	defer cut.Stop()
	over := make(chan struct{})
	go func() { work.Wait(); close(over) }()
	for working := true; working; {
		select {
		case <-cut.C:
			n.Link("client", "server").Cut(nil)
		case <-over:
			working = false
		}
	}
	for _, e := range []*netasync.Engine{client, server} {
		down, cancel := context.WithTimeout(t.Context(), netasynctest.Patience)
		_ = e.Shutdown(down) // what the cuts have left unsent is no failure
		cancel()
	}
	stop()
	scrapers.Wait()
	look()
	require.Greater(t, scrapes, 5)
	connections, ended := 0.0, 0.0
	for key, value := range last {
		switch family, _, _ := strings.Cut(key, "{"); family {
		case "netasync_connections_total":
			connections += value
		case "netasync_disconnects_total":
			ended += value
		case "netasync_sessions", "netasync_loops":
			require.Zero(t, value, key)
		}
	}
	require.Greater(t, connections, float64(sessions))
	require.Equal(t, connections, ended, "each connection has ended once")
}

// live is the life of a session: some messages there and back, if the network lets them pass.
func live(t *testing.T, e *netasync.Engine, addr string, n int) {
	s, err := e.Connect(addr, netasync.ConnectOptions{
		Name: []string{"both", "clients"}[n%2], Backoff: netasync.FixedDelay(time.Millisecond), Linger: 50 * time.Millisecond,
	})
	if err != nil {
		t.Error(err)
		return
	}
	for i := range 5 {
		s.WriteChan() <- fmt.Appendf(nil, "message %d", i)
	}
	late := time.AfterFunc(100*time.Millisecond, func() { s.CloseNow(nil) })
	defer late.Stop()
	received := 0
	for ev := range s.ReadChan() {
		if ev.Kind == netasync.Message {
			if received++; received == 5 {
				_ = s.Close()
			}
		}
	}
}

// decreased says which counter was larger before.
func decreased(before, now figures) error {
	for key, value := range before {
		counter := strings.Contains(key, "_total")
		if then, ok := now[key]; counter && (!ok || then < value) {
			return fmt.Errorf("%s was %.0f, and then %.0f (%v)", key, value, then, ok)
		}
		if value < 0 || value > 1e9 {
			return fmt.Errorf("%s is %.0f", key, value)
		}
	}
	return nil
}
