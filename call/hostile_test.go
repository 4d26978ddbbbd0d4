package call_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/call"
	"github.com/netasync/netasync/netasynctest"
)

// raw returns the 18 bytes that begin a frame, written by hand.
func raw(first byte, end, call uint64) []byte {
	p := binary.BigEndian.AppendUint64([]byte{first, 0}, end)
	return binary.BigEndian.AppendUint64(p, call)
}

func rawRequest(end, call uint64, request string) []byte {
	return append(append(raw(0x11, end, call), make([]byte, 8)...), request...)
}

// next returns the next message of a session.
func next(t *testing.T, s *netasync.Session) []byte {
	for payload, err := range s.Messages(t.Context()) {
		require.NoError(t, err)
		return payload
	}
	panic("closed")
}

// A peer that sends what is no frame loses its connection: an accepted session ends with ErrProtocol, a
// dialed one connects again, and calls go on. What else was on its way suffers as by any cut.
func TestPeersThatLie(t *testing.T) {
	for name, lie := range map[string]func(end uint64) [][]byte{
		"text": func(uint64) [][]byte { return [][]byte{[]byte("GET / HTTP/1.1")} },
		"another version": func(uint64) [][]byte {
			return [][]byte{rawRequest(1, 1, "")[:26:26], append([]byte{0x21}, rawRequest(1, 2, "")[1:]...)}
		},
		"an unknown kind":  func(uint64) [][]byte { return [][]byte{raw(0x15, 1, 1)} },
		"a short frame":    func(uint64) [][]byte { return [][]byte{raw(0x12, 1, 1)[:17]} },
		"a second request": func(uint64) [][]byte { return [][]byte{rawRequest(1, 1, "x"), rawRequest(1, 1, "x")} },
		"an answer to nothing": func(end uint64) [][]byte {
			return [][]byte{raw(0x12, end, 1000)}
		},
		"an answer to call 0": func(end uint64) [][]byte { return [][]byte{raw(0x12, end, 0)} },
		"an echo":             func(end uint64) [][]byte { return [][]byte{rawRequest(end, 1, "x")} },
		"a long timeout":      func(uint64) [][]byte { return [][]byte{append(raw(0x11, 1, 1), 0x80, 0, 0, 0, 0, 0, 0, 0)} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				limit(t)
				client, server := netasynctest.Pair(t, netasync.ConnectOptions{}, netasync.ListenOptions{})
				netasynctest.Expect(t, client, netasynctest.IsConnected)
				g := newGate()
				p := call.New(server, call.Options{})
				served := make(chan error)
				go func() { served <- p.Serve(t.Context(), g.handle) }()
				r := async(t.Context(), p, "?")
				end := binary.BigEndian.Uint64(next(t, client)[2:])
				for _, m := range lie(end) {
					require.NoError(t, client.Send(t.Context(), m))
				}
				err := <-served
				require.ErrorIs(t, err, call.ErrProtocol)
				require.ErrorIs(t, err, netasync.ErrClosed)
				err = (<-r).err
				require.ErrorIs(t, err, call.ErrProtocol)
				require.ErrorIs(t, err, call.ErrLost)
			})
		})
	}
}

// A dialed session leaves a liar, and comes back, whether it can resume or not.
func TestDialedToALiar(t *testing.T) {
	for name, s := range map[string]setting{"plain": {}, "resume": setting{}.resumable()} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				limit(t)
				n := netasynctest.NewNetwork(t)
				client, server := n.Engine("client", netasync.EngineOptions{}), n.Engine("server", netasync.EngineOptions{})
				ln, err := server.Listen("server:1", s.listen)
				require.NoError(t, err)
				s.connect.Backoff = quick
				session, err := client.Connect("server:1", s.connect)
				require.NoError(t, err)
				p := call.New(session, call.Options{})
				r := async(t.Context(), p, "x")
				liar := <-ln.AcceptChan()
				end := binary.BigEndian.Uint64(next(t, liar)[2:])
				// At once, as the first ends the session. What comes behind it does not count.
				_, err = liar.SendBatch(t.Context(), [][]byte{[]byte("not a frame"), []byte("nor this"), raw(0x12, end, 1)})
				require.NoError(t, err)
				err = (<-r).err
				require.ErrorIs(t, err, call.ErrLost)
				honest := call.New(<-ln.AcceptChan(), call.Options{})
				go func() { _ = honest.Serve(context.Background(), echo) }()
				reply, err := p.Call(t.Context(), []byte("y"))
				require.NoError(t, err)
				require.Equal(t, "y", string(reply))
				require.EqualValues(t, 2, session.Stats().Epoch)
				require.EqualValues(t, 1, client.Stats().Totals.Disconnects[netasync.ReasonProtocol])
			})
		})
	}
}

// What must be ignored is: later kinds, answers to other ends, late ones, cancellations of nothing.
func TestIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit(t)
		client, server := netasynctest.Pair(t, netasync.ConnectOptions{}, netasync.ListenOptions{})
		netasynctest.Expect(t, client, netasynctest.IsConnected)
		p := call.New(server, call.Options{})
		go func() { _ = p.Serve(context.Background(), echo) }()
		r := async(t.Context(), p, "x")
		end := binary.BigEndian.Uint64(next(t, client)[2:])
		for _, m := range [][]byte{
			{0x18}, append(raw(0x1f, 1, 1), "later"...), raw(0x12, end+1, 1), append(raw(0x13, end+1, 7), 1),
			raw(0x14, 1, 1), raw(0x14, end, 1), append(raw(0x12, end, 1), "re"...), raw(0x12, end, 1),
		} {
			require.NoError(t, client.Send(t.Context(), m))
		}
		require.Equal(t, result{reply: "re"}, <-r)
		require.NoError(t, client.Send(t.Context(), rawRequest(9, 8, "request")))
		require.Equal(t, string(append(raw(0x12, 9, 8), "request"...)), string(next(t, client)))
	})
}

// A peer that asks for ever and takes no answers is thrown out, before it costs much.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit(t)
		n := netasynctest.NewNetwork(t)
		client, server := n.Engine("client", netasync.EngineOptions{}), n.Engine("server", netasync.EngineOptions{})
		ln, err := server.Listen("server:1", netasync.ListenOptions{HeartbeatPeriod: time.Hour})
		require.NoError(t, err)
		s, err := client.Connect("server:1", netasync.ConnectOptions{MaxAttempts: 1, HeartbeatPeriod: time.Hour})
		require.NoError(t, err)
		p := call.New(<-ln.AcceptChan(), call.Options{MaxHandlers: 1})
		served := make(chan error)
		go func() {
			served <- p.Serve(context.Background(), func(ctx context.Context, _ []byte) ([]byte, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			})
		}()
		n.Link("client", "server").OneWay("server")
		sent := 0
		for ; sent < 100_000 && s.Send(t.Context(), rawRequest(1, uint64(sent+1), "x")) == nil; sent++ {
			if sent%1000 == 0 {
				synctest.Wait()
			}
			if len(served) > 0 || s.Stats().Epoch == 0 {
				break
			}
		}
		require.Greater(t, sent, 1<<16)
		s.CloseNow(nil)
		require.ErrorIs(t, <-served, call.ErrProtocol)
	})
}

// FuzzPeer feeds a Peer what anybody may send. It ends the connection, or goes on to answer; nothing else.
func FuzzPeer(f *testing.F) {
	f.Add([]byte("\x1a\x11\x00aaaaaaaabbbbbbbb\x00\x00\x00\x00\x00\x00\x00\x00\x12\x12\x00aaaaaaaabbbbbbbb"))
	f.Add(append([]byte{18}, raw(0x14, 1, 1)...))
	f.Add(bytes.Repeat([]byte("\x01a"), 10_000))                              // to whom nobody listens
	f.Add(bytes.Repeat(append([]byte{27}, rawRequest(1, 1, "x")...), 10_000)) // all refused but one
	f.Fuzz(func(t *testing.T, data []byte) {
		synctest.Test(t, func(t *testing.T) {
			limit(t)
			client, server := netasynctest.Pair(t, netasync.ConnectOptions{}, netasync.ListenOptions{})
			netasynctest.Expect(t, client, netasynctest.IsConnected)
			p := call.New(server, call.Options{MaxHandlers: 2})
			go func() { _ = p.Serve(context.Background(), echo) }()
			r := async(t.Context(), p, "x")
			next(t, client)
			// The client reads nothing, and nobody serves what it comes back as: a Send may wait for ever.
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			for len(data) > 0 && ctx.Err() == nil {
				n := min(int(data[0]), len(data)-1)
				if n > 0 {
					_ = client.Send(ctx, data[1:1+n])
				}
				data = data[1+n:]
			}
			synctest.Wait() // what ends the connection ends the call, too
			_ = p.Close()
			client.CloseNow(io.EOF)
			require.Error(t, (<-r).err, "no answer to a random end is ours")
		})
	})
}
