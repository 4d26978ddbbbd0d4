package prom_test

import (
	"testing"

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
	defer func() { _ = engine.Shutdown(b.Context()) }()
	for range sessions {
		_, err := engine.Connect("127.0.0.1:1", netasync.ConnectOptions{Backoff: netasync.FixedDelay(1 << 40)})
		require.NoError(b, err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(prom.NewCollector(engine))
	for b.Loop() {
		_, err := registry.Gather()
		require.NoError(b, err)
	}
}
