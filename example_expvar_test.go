package netasync_test

import (
	"context"
	"encoding/json"
	"expvar"
	"fmt"
	"maps"

	"github.com/netasync/netasync"
)

// published is what /debug/vars shows of the engines of this process, once net/http serves.
var published = expvar.NewMap("netasync")

// The figures of an engine for package expvar: whoever reads /debug/vars sees those of the moment,
// by the sessions' names.
func ExampleEngine_expvar() {
	engine, _ := netasync.NewEngine(netasync.EngineOptions{})
	published.Set("agent", expvar.Func(func() any { return maps.Collect(engine.Totals()) }))

	server := echoServer()
	defer server.end()
	s, _ := engine.Connect(server.addr, netasync.ConnectOptions{Name: "telemetry"})
	for range 3 {
		_ = s.Send(context.Background(), []byte("20 °C"))
	}
	_ = engine.Shutdown(context.Background()) // flushes

	var read map[string]netasync.Totals
	_ = json.Unmarshal([]byte(published.Get("agent").String()), &read)
	fmt.Println("sent:", read["telemetry"].Sent, "connections:", read["telemetry"].Connections)
	// Output: sent: 3 connections: 1
}
