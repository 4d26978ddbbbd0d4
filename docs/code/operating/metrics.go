package operating

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/debugpage"
	"github.com/netasync/netasync/prom"
)

// forOperators returns what is served to operators alone.
func forOperators(engine *netasync.Engine) http.Handler {
	mux := http.NewServeMux()
	//doc:begin page
	mux.Handle("/debug/netasync/", debugpage.Handler(engine))
	//doc:end
	//doc:begin prometheus
	prometheus.MustRegister(prom.NewCollector(engine)) // all engines and handlers of the program at once
	mux.Handle("/metrics", promhttp.Handler())
	//doc:end
	return mux
}
