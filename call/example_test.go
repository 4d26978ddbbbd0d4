package call_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strconv"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/call"
)

// A server that doubles numbers, and a client that asks it.
func Example() {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = engine.Shutdown(context.Background()) }()
	listener, err := engine.Listen("127.0.0.1:0", netasync.ListenOptions{})
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		for s := range listener.AcceptChan() {
			peer := call.New(s, call.Options{})
			go func() { _ = peer.Serve(context.Background(), double) }() // returns when the session has closed
		}
	}()

	s, err := engine.Connect(listener.Addr().String(), netasync.ConnectOptions{})
	if err != nil {
		log.Fatal(err)
	}
	peer := call.New(s, call.Options{})
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, request := range []string{"21", "many"} {
		reply, err := peer.Call(ctx, []byte(request))
		var remote *call.RemoteError
		switch {
		case err == nil:
			fmt.Println(request, "→", string(reply))
		case errors.As(err, &remote):
			fmt.Println(request, "was refused:", remote.Message)
		case errors.Is(err, call.ErrLost):
			fmt.Println(request, "may have been doubled:", err)
		default:
			fmt.Println(request, "was not doubled:", err)
		}
	}
	// Output:
	// 21 → 42
	// many was refused: not a number
}

func double(_ context.Context, request []byte) ([]byte, error) {
	n, err := strconv.Atoi(string(request))
	if err != nil {
		return nil, errors.New("not a number")
	}
	return strconv.AppendInt(nil, 2*int64(n), 10), nil
}

// With Resume at both ends a transfer is executed once, whatever the network does meanwhile, and its caller
// hears of it.
func ExamplePeer_Call_resume() {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = engine.Shutdown(context.Background()) }()
	listener, err := engine.Listen("127.0.0.1:0", netasync.ListenOptions{Resume: true})
	if err != nil {
		log.Fatal(err)
	}
	balance := 100
	go func() {
		peer := call.New(<-listener.AcceptChan(), call.Options{MaxHandlers: 1}) // one at a time
		_ = peer.Serve(context.Background(), func(_ context.Context, request []byte) ([]byte, error) {
			amount, err := strconv.Atoi(string(request))
			if err != nil {
				return nil, err
			}
			balance -= amount
			return strconv.AppendInt(nil, int64(balance), 10), nil
		})
	}()
	s, err := engine.Connect(listener.Addr().String(), netasync.ConnectOptions{Resume: true})
	if err != nil {
		log.Fatal(err)
	}
	reply, err := call.New(s, call.Options{}).Call(context.Background(), []byte("30"))
	fmt.Println(string(reply), err)
	// Output: 70 <nil>
}
