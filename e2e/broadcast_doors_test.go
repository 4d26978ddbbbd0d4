package e2e_test

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/broadcast"
	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/netasynctest"
)

// One group may have members by every door, on different wires, of several engines: all get the same, in the
// same order, in memory of their own.
func TestBroadcastToMembersByAllDoors(t *testing.T) {
	const messages = 200
	g, e := broadcast.NewGroup(broadcast.Options{}), newEngine(t)
	room := netasync.Buffer{Cap: messages, Bytes: 64 << 20}
	var readers []*netasync.Session
	join := func(by <-chan *netasync.Session, addr string, o netasync.ConnectOptions) {
		s, err := e.Connect(addr, o)
		require.NoError(t, err)
		readers = append(readers, s)
		require.True(t, g.Add(testkit.Take(t, by)))
	}
	for _, name := range []string{"on loops", "tls", "another codec"} {
		door := everyDoor[name]
		door.listen.WriteBuffer = room
		ln := listen(t, e, door.listen)
		join(ln.AcceptChan(), ln.Addr().String(), door.connect)
	}
	n := netasynctest.NewNetwork(t)
	ln, err := n.Listen("memory", ":1")
	require.NoError(t, err)
	memory, err := e.Serve(ln, netasync.ListenOptions{WriteBuffer: room})
	require.NoError(t, err)
	join(memory.AcceptChan(), "localhost:1", netasync.ConnectOptions{Dial: n.Dialer("memory")})
	h, addr := embed(t, netasync.ListenOptions{WriteBuffer: room})
	join(h.AcceptChan(), addr.String(), netasync.ConnectOptions{})

	var work sync.WaitGroup
	got := make([][]string, len(readers))
	for i, s := range readers {
		work.Go(func() {
			for payload, err := range s.Messages(testkit.Context(t)) {
				if err != nil {
					t.Error(err)
					return
				}
				got[i] = append(got[i], string(payload))
				clear(payload) // it is ours
				if len(got[i]) == messages {
					return
				}
			}
		})
	}
	for n := range 2 {
		work.Go(func() {
			for i := range messages / 2 {
				payload := fmt.Appendf(nil, "%d/%d ", n, i)
				payload = append(payload, bytes.Repeat([]byte{'x'}, []int{0, 100, 1000, 50_000}[i%4])...)
				if r := g.Send(payload); r != (broadcast.Result{Queued: len(readers)}) {
					t.Errorf("%+v", r)
				}
				clear(payload)
			}
		})
	}
	work.Wait()
	for i := range got {
		require.True(t, slices.Equal(got[0], got[i]), "member %d", i)
	}
}
