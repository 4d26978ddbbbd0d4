package prom_test

import (
	"context"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/prom"
)

// A scrape of an engine with as many sessions as a large server has. They wait to dial again, as what
// a session costs a scrape does not depend on its connection.
func BenchmarkScrape(b *testing.B) {
	const sessions = 15_000
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	require.NoError(b, err)
	defer func() { _ = engine.Shutdown(context.Background()) }()
	for range sessions {
		_, err := engine.Connect("127.0.0.1:1", netasync.ConnectOptions{
			Backoff: netasync.FixedDelay(time.Hour), Linger: time.Nanosecond,
			Dial: func(context.Context, string, string) (net.Conn, error) { return nil, net.ErrClosed },
		})
		require.NoError(b, err)
	}
	for engine.Stats().Totals.FailedAttempts < sessions {
		runtime.Gosched()
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(prom.NewCollector(engine))
	for b.Loop() {
		_, err := registry.Gather()
		require.NoError(b, err)
	}
}
