package ours

import (
	"context"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/call"

	"github.com/netasync/netasync/bench/internal/calls"
	"github.com/netasync/netasync/bench/internal/rival"
)

// Calls are this library's calls, over plain sessions; CallsResumed over sessions with Resume.
var (
	Calls        = calls.Library{Serve: func() (string, error) { return serveCalls(false) }, Dial: dialCalls(false)}
	CallsResumed = calls.Library{Serve: func() (string, error) { return serveCalls(true) }, Dial: dialCalls(true)}
)

func serveCalls(resume bool) (string, error) {
	l, err := listen(rival.Options{Addr: "127.0.0.1:0"}, netasync.ListenOptions{Resume: resume})
	if err != nil {
		return "", err
	}
	go func() {
		for s := range l.AcceptChan() {
			go func() {
				_ = call.New(s, call.Options{}).Serve(context.Background(),
					func(_ context.Context, request []byte) ([]byte, error) { return request, nil })
			}()
		}
	}()
	return l.Addr().String(), nil
}

func dialCalls(resume bool) func(addr string) (calls.Call, error) {
	return func(addr string) (calls.Call, error) {
		engine, err := netasync.NewEngine(netasync.EngineOptions{})
		if err != nil {
			return nil, err
		}
		s, err := engine.Connect(addr, netasync.ConnectOptions{Resume: resume})
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return call.New(s, call.Options{}).Call, s.WaitConnected(ctx)
	}
}
