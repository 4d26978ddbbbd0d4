package debugpage_test

import (
	"context"
	"expvar"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/debugpage"
)

// The page is mounted where operators alone can reach it: on a port of its own, or behind what asks who
// they are.
func ExampleHandler() {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = engine.Shutdown(context.Background()) }()

	mux := http.NewServeMux()
	mux.Handle("/debug/netasync/", debugpage.Handler(engine))
	server := httptest.NewServer(mux) // http.ListenAndServe("127.0.0.1:6060", mux)
	defer server.Close()

	answer, err := http.Get(server.URL + "/debug/netasync/healthz")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(answer.Status, ": ", string(body))
	// Output: 200 OK: ok
}

// The same figures are a variable of package expvar.
func ExampleSnapshot() {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		log.Fatal(err)
	}
	expvar.Publish("netasync", expvar.Func(func() any { return debugpage.Snapshot(engine) }))

	fmt.Println(debugpage.Snapshot(engine).Healthy)
	_ = engine.Shutdown(context.Background())
	fmt.Println(debugpage.Snapshot(engine).Problems)
	// Output:
	// true
	// [netasync: shut down]
}
