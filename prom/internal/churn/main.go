// Command churn is a listener and some hundred sessions that come and go, break and return, and send
// messages, and shows its metrics: for tests with a real Prometheus.
//
// Its first line says where the metrics are. When it reads a line it ends all sessions, says how many
// messages were sent and received, and goes on showing the metrics. It ends with its input.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/prom"
)

func main() {
	clients := flag.Int("clients", 200, "`sessions` at a time")
	flag.Parse()
	if err := run(*clients, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "churn:", err)
		os.Exit(1)
	}
}

func run(clients int, in io.Reader, out io.Writer) error {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		return err
	}
	var received atomic.Uint64
	l, err := engine.Listen("127.0.0.1:0", netasync.ListenOptions{
		Name: "collector", MaxSessions: clients, // a new session may come before the end of an old one: refused
		OnEvent: func(s *netasync.Session, ev netasync.Event) {
			if ev.Kind == netasync.Message {
				received.Add(1)
				if ev.Payload[0] == 'x' {
					s.CloseNow(nil) // its peer comes back
				}
			}
		},
	})
	if err != nil {
		return err
	}
	web, err := serve(engine)
	if err != nil {
		return err
	}
	defer web.Close()
	fmt.Fprintln(out, "metrics at", web.Addr)

	ctx, stop := context.WithCancel(context.Background())
	var work sync.WaitGroup
	for n := range clients {
		work.Go(func() {
			for ctx.Err() == nil {
				live(ctx, engine, l.Addr().String(), n)
			}
		})
	}
	lines := bufio.NewReader(in)
	_, err = lines.ReadString('\n')
	stop()
	work.Wait()
	ending, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = engine.Shutdown(ending)
	if err != nil {
		return nil // the input is over
	}
	fmt.Fprintln(out, "received", received.Load())
	_, err = io.Copy(io.Discard, lines)
	return err
}

// serve shows the metrics of an engine.
func serve(engine *netasync.Engine) (*http.Server, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(prom.NewCollector(engine))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	web := &http.Server{Addr: l.Addr().String(), Handler: mux, ReadHeaderTimeout: time.Second}
	go func() { _ = web.Serve(l) }()
	return web, nil
}

// live is the life of a session: it sends for a second or so, is thrown out once, and closes.
func live(ctx context.Context, engine *netasync.Engine, addr string, n int) {
	s, err := engine.Connect(addr, netasync.ConnectOptions{
		Name: "sensors", Backoff: netasync.FixedDelay(50 * time.Millisecond), OnEvent: func(*netasync.Session, netasync.Event) {},
	})
	if err != nil {
		return
	}
	defer func() { <-s.Done() }()
	defer s.Close()
	pause := time.NewTicker(20 * time.Millisecond)
	defer pause.Stop()
	for i := range 40 + n%20 {
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
		text := []byte("a reading")
		if i == 20 {
			text[0] = 'x'
		}
		_ = s.Send(ctx, text)
	}
}
