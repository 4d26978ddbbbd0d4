package prom_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/prom"
)

// A program shows what its sessions do. Most serve /metrics by http.Handle and http.ListenAndServe.
func Example() {
	ctx := context.Background()
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		panic(err)
	}
	defer func() { _ = engine.Shutdown(ctx) }()
	listener, err := engine.Listen("127.0.0.1:0", netasync.ListenOptions{Name: "collector"})
	if err != nil {
		panic(err)
	}
	sensor, err := engine.Connect(listener.Addr().String(), netasync.ConnectOptions{Name: "sensors"})
	if err != nil {
		panic(err)
	}
	if err := errors.Join(sensor.Send(ctx, []byte("21.5 °C")), sensor.Flush(ctx)); err != nil {
		panic(err)
	}
	for ev := range (<-listener.AcceptChan()).ReadChan() {
		if ev.Kind == netasync.Message {
			break
		}
	}

	registry := prometheus.NewRegistry()
	registry.MustRegister(prom.NewCollector(engine)) // all engines and handlers of the program at once
	server := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	defer server.Close()

	page, err := server.Client().Get(server.URL)
	if err != nil {
		panic(err)
	}
	defer page.Body.Close()
	for lines := bufio.NewScanner(page.Body); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "netasync_messages_total") {
			fmt.Println(lines.Text())
		}
	}
	// Output:
	// netasync_messages_total{direction="receive",name="collector"} 1
	// netasync_messages_total{direction="receive",name="sensors"} 0
	// netasync_messages_total{direction="transmit",name="collector"} 0
	// netasync_messages_total{direction="transmit",name="sensors"} 1
}
