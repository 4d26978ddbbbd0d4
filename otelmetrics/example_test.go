package otelmetrics_test

import (
	"context"
	"errors"
	"fmt"

	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/otelmetrics"
)

// A program shows what its sessions do to a reader. Most have one that exports, and the global meter:
// otel.Meter.
func ExampleRegister() {
	reader := sdk.NewManualReader()
	meter := sdk.NewMeterProvider(sdk.WithReader(reader)).Meter("sensors")
	ctx := context.Background()
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		panic(err)
	}
	defer func() { _ = engine.Shutdown(ctx) }()
	registration, err := otelmetrics.Register(meter, engine) // all engines and handlers of the program at once
	if err != nil {
		panic(err)
	}
	defer func() { _ = registration.Unregister() }()

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

	var seen metricdata.ResourceMetrics
	if err := reader.Collect(ctx, &seen); err != nil {
		panic(err)
	}
	for _, m := range seen.ScopeMetrics[0].Metrics {
		if m.Name != "netasync.messages" {
			continue
		}
		for _, point := range m.Data.(metricdata.Sum[int64]).DataPoints {
			name, _ := point.Attributes.Value("netasync.name")
			direction, _ := point.Attributes.Value("network.io.direction")
			fmt.Println(name.AsString(), direction.AsString(), point.Value, m.Unit)
		}
	}
	// Unordered output:
	// collector receive 1 {message}
	// collector transmit 0 {message}
	// sensors receive 0 {message}
	// sensors transmit 1 {message}
}
