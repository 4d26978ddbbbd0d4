package operating

import (
	"log"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/otelmetrics"
	"github.com/netasync/netasync/prom"
)

// sensors is what prom/README.md shows.
func sensors() (*netasync.Engine, *netasync.Session, error) {
	//doc:begin promreadme
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		log.Fatal(err)
	}
	prometheus.MustRegister(prom.NewCollector(engine)) // all engines and handlers of the program at once
	http.Handle("/metrics", promhttp.Handler())        // of a server for operators

	s, err := engine.Connect("collector:8899", netasync.ConnectOptions{Name: "sensors"})
	//doc:end
	return engine, s, err
}

// measured is what otelmetrics/README.md shows.
func measured() (*netasync.Engine, *netasync.Session, error) {
	//doc:begin otelreadme
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		log.Fatal(err)
	}
	_, err = otelmetrics.Register(otel.Meter("sensors"), engine) // all engines and handlers of the program at once
	if err != nil {
		log.Fatal(err)
	}
	s, err := engine.Connect("collector:8899", netasync.ConnectOptions{Name: "sensors"})
	//doc:end
	return engine, s, err
}
