package operating

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

func TestForOperators(t *testing.T) {
	registry := prometheus.NewRegistry() // so that the test can run twice
	prometheus.DefaultRegisterer, prometheus.DefaultGatherer = registry, registry
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = engine.Shutdown(context.Background()) })
	h := forOperators(engine)
	for path, part := range map[string]string{
		"/debug/netasync/": "Takes connections", "/debug/netasync/healthz": "ok", "/metrics": "netasync_loops",
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		require.Contains(t, w.Body.String(), part)
	}
}

// The blocks of the READMEs of prom and otelmetrics.
func TestReadmes(t *testing.T) {
	registry := prometheus.NewRegistry()
	prometheus.DefaultRegisterer, prometheus.DefaultGatherer = registry, registry
	http.DefaultServeMux = http.NewServeMux()
	for _, f := range []func() (*netasync.Engine, *netasync.Session, error){sensors, measured} {
		engine, s, err := f()
		require.NoError(t, err)
		require.Equal(t, "sensors", s.Name())
		s.CloseNow(nil)
		require.NoError(t, engine.Shutdown(t.Context()))
	}
	all, err := registry.Gather()
	require.NoError(t, err)
	require.NotEmpty(t, all)
}
