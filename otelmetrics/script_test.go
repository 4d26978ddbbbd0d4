package otelmetrics_test

// Package prom has the same file, and shows the same figures.

import (
	"errors"
	"iter"
	"reflect"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/netasynctest"
)

// scripted is a source whose figures are given.
type scripted struct {
	totals map[string]netasync.Totals
	stats  netasync.Stats
}

func (s *scripted) Totals() iter.Seq2[string, netasync.Totals] {
	return func(yield func(string, netasync.Totals) bool) {
		for name, t := range s.totals {
			if !yield(name, t) {
				return
			}
		}
	}
}

func (s *scripted) Stats() netasync.Stats { return s.stats }

// everything is a source in which each figure is another number, 1, 2, 3 …, but for those that are a
// part of another one.
func everything() *scripted {
	n := uint64(0)
	var number func(v reflect.Value)
	number = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				number(v.Field(i))
			}
		case reflect.Array:
			for i := range v.Len() {
				number(v.Index(i))
			}
		case reflect.Int:
			n++
			v.SetInt(int64(n))
		default:
			n++
			v.SetUint(n)
		}
	}
	var totals netasync.Totals
	var stats netasync.Stats
	number(reflect.ValueOf(&totals).Elem())
	number(reflect.ValueOf(&stats).Elem())
	totals.Sessions, totals.Connected, totals.Detached = 1000, 310, 120
	totals.Dialed, totals.DialedConnected = 500, 200
	totals.Connections, totals.DialedConnections = 5000, 2000
	totals.Dropped, totals.DroppedInbound = 400, 150
	return &scripted{map[string]netasync.Totals{"agents": totals}, stats}
}

// script makes engines live through what has a figure, in a bubble, so that the figures are the same in
// every run.
func script(t *testing.T) (server, client, mobile *netasync.Engine) {
	n := netasynctest.NewNetwork(t)
	server = n.Engine("server", netasync.EngineOptions{Loops: 2})
	client = n.Engine("client", netasync.EngineOptions{})
	mobile = n.Engine("mobile", netasync.EngineOptions{})
	connect := func(e *netasync.Engine, addr string, o netasync.ConnectOptions) *netasync.Session {
		if o.Backoff == (netasync.Backoff{}) {
			o.Backoff = netasync.FixedDelay(time.Second)
		}
		s, err := e.Connect(addr, o)
		require.NoError(t, err)
		return s
	}
	send := func(s *netasync.Session, texts ...string) {
		for _, text := range texts {
			require.NoError(t, s.Send(t.Context(), []byte(text)))
		}
	}
	once := netasync.FixedDelay(time.Hour) // the test is over before it dials again

	// Nobody listens: two attempts fail, and the third one brings a connection.
	agent := connect(client, "server:1", netasync.ConnectOptions{Name: "agents"})
	time.Sleep(1500 * time.Millisecond)
	shop, err := server.Listen("server:1", netasync.ListenOptions{Name: "shop", MaxSessions: 2})
	require.NoError(t, err)
	netasynctest.Expect(t, agent, netasynctest.IsDisconnected(nil), netasynctest.IsConnected)
	atShop := <-shop.AcceptChan()
	send(agent, "one", "two", "three", "four")
	send(atShop, "eins", "zwei", "drei")
	netasynctest.Expect(t, atShop, netasynctest.IsConnected, netasynctest.IsMessage("one"), netasynctest.IsMessage("two"),
		netasynctest.IsMessage("three"), netasynctest.IsMessage("four"))
	netasynctest.Expect(t, agent, netasynctest.IsMessage("eins"), netasynctest.IsMessage("zwei"), netasynctest.IsMessage("drei"))

	// Both ends have the name shop.
	second := connect(client, "server:1", netasync.ConnectOptions{Name: "shop"})
	netasynctest.Expect(t, second, netasynctest.IsConnected)
	send(second, "five", "six")
	synctest.Wait()

	// There is room for two.
	third := connect(client, "server:1", netasync.ConnectOptions{Name: "third", Backoff: once})
	netasynctest.Expect(t, third, netasynctest.IsConnected, netasynctest.IsDisconnected(nil))

	// A cable is pulled and plugged in again: the agent is back, and the second one has closed.
	require.NoError(t, second.Close())
	synctest.Wait()
	n.Link("client", "server").Cut(nil)
	netasynctest.Expect(t, agent, netasynctest.IsDisconnected(nil), netasynctest.IsConnected)
	send(agent, "unread")

	// What is queued is dropped, or never sent.
	dropping := connect(client, "server:9", netasync.ConnectOptions{
		Name: "dropping", Backoff: once, WriteBuffer: netasync.Dropping(1),
	})
	send(dropping, "kept", "dropped", "dropped")
	hasty := connect(client, "server:9", netasync.ConnectOptions{Name: "hasty", Backoff: once})
	send(hasty, "never", "sent")
	synctest.Wait() // its attempt has failed
	hasty.CloseNow(errors.New("in haste"))
	late := hasty.WriteChan()
	defer runtime.KeepAlive(late) // a channel that nobody holds is collected, with what it holds
	late <- []byte("too late")
	synctest.Wait()

	// A session goes on over a second connection, and then its host vanishes: one end waits for the other.
	ledger, err := server.Listen("server:2", netasync.ListenOptions{Name: "ledger", Resume: true})
	require.NoError(t, err)
	teller := connect(mobile, "server:2", netasync.ConnectOptions{Name: "tellers", Resume: true})
	netasynctest.Expect(t, teller, netasynctest.IsConnected)
	atLedger := <-ledger.AcceptChan()
	netasynctest.Expect(t, atLedger, netasynctest.IsConnected)
	send(teller, "a payment")
	netasynctest.Expect(t, atLedger, netasynctest.IsMessage("a payment"))
	n.Link("mobile", "server").Cut(nil)
	netasynctest.Expect(t, teller, netasynctest.IsDisconnected(nil), netasynctest.IsConnected)
	n.Link("mobile", "server").Vanish()
	send(teller, "on its way")
	time.Sleep(25 * time.Second) // over HeartbeatTimeout
	synctest.Wait()
	return server, client, mobile
}
