package session_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/netasync/netasync"
)

// Send waits while the queue is full, and no longer than its context says.
func ExampleSession_Send() {
	client, server, end := pair(netasync.ConnectOptions{})
	defer end()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()

	if err := client.Send(ctx, []byte("hello")); err != nil {
		fmt.Println(err) // a closed session, a bad payload, or the context's end
	}
	for payload := range server.Messages(ctx) {
		fmt.Printf("%s\n", payload)
		break
	}
	// Output: hello
}

// TrySend does not wait. This session has no connection yet, and room for one message.
func ExampleSession_TrySend() {
	s, end := disconnected(netasync.ConnectOptions{WriteBuffer: netasync.Fixed(1)})
	defer end()

	fmt.Println(s.TrySend([]byte("hello")))
	fmt.Println(s.TrySend([]byte("again")))
	// Output:
	// <nil>
	// netasync: write buffer full
}

// SendBatch queues many messages at once, and says how many it took.
func ExampleSession_SendBatch() {
	client, _, end := pair(netasync.ConnectOptions{MaxPayload: 10})
	defer end()

	queued, err := client.SendBatch(context.Background(), [][]byte{
		[]byte("one"), []byte("two"), []byte("three is too long"), []byte("four"),
	})
	fmt.Println(queued, errors.Is(err, netasync.ErrFrameTooLarge))
	// Output: 2 true
}

// WriteChan is for select: what is sent to it waits for the connection, and closing it is Close.
func ExampleSession_WriteChan() {
	client, server, end := pair(netasync.ConnectOptions{})
	defer end()

	select {
	case client.WriteChan() <- []byte("hello"):
	case <-time.After(5 * time.Second):
		fmt.Println("the peer takes nothing")
	}
	close(client.WriteChan()) // no more is to come
	for payload := range server.Messages(context.Background()) {
		fmt.Printf("%s\n", payload)
	}
	// Output: hello
}

// ReadChan has all events, and is closed after the last of them.
func ExampleSession_ReadChan() {
	client, server, end := pair(netasync.ConnectOptions{})
	defer end()
	_ = client.Send(context.Background(), []byte("hello"))
	_ = client.Close() // flushes

	for ev := range server.ReadChan() {
		fmt.Printf("%v %q %v\n", ev.Kind, ev.Payload, ev.Err)
	}
	// Output:
	// connected "" <nil>
	// message "hello" <nil>
	// closed "" EOF
}

// Recv has the same events, without a channel.
func ExampleSession_Recv() {
	client, server, end := pair(netasync.ConnectOptions{})
	defer end()
	_ = client.Close()

	for {
		ev, err := server.Recv(context.Background())
		if err != nil {
			fmt.Println(err) // io.EOF: there was a Closed
			return
		}
		fmt.Println(ev.Kind)
	}
	// Output:
	// connected
	// closed
	// EOF
}

// Events has the same for a loop. What the loop has not seen when it ends, the next one gets.
func ExampleSession_Events() {
	client, server, end := pair(netasync.ConnectOptions{})
	defer end()
	ctx := context.Background()
	_, _ = client.SendBatch(ctx, [][]byte{[]byte("login"), []byte("one"), []byte("two")})
	_ = client.Close()

	for ev := range server.Events(ctx) {
		if ev.Kind == netasync.Message {
			fmt.Printf("first: %s\n", ev.Payload)
			break
		}
	}
	for ev := range server.Events(ctx) {
		fmt.Printf("then: %v %s\n", ev.Kind, ev.Payload)
	}
	// Output:
	// first: login
	// then: message one
	// then: message two
	// then: closed
}

// Messages leaves out all other events. An error is the last pair, if there is one.
func ExampleSession_Messages() {
	client, server, end := pair(netasync.ConnectOptions{})
	defer end()
	_, _ = client.SendBatch(context.Background(), [][]byte{[]byte("one"), []byte("two")})
	_ = client.Close()

	for payload, err := range server.Messages(context.Background()) {
		if err != nil {
			fmt.Println("the end:", err) // io.EOF: the peer has closed
			break
		}
		fmt.Printf("%s\n", payload)
	}
	// Output:
	// one
	// two
	// the end: EOF
}
