package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// natsWithFiles is a server of the user's that keeps streams.
func natsWithFiles(t testing.TB) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true,
		StoreDir: t.TempDir(),
	})
	require.NoError(t, err)
	go s.Start()
	require.True(t, s.ReadyForConnections(patience))
	t.Cleanup(func() { end(s) })
	return s
}

const testLease = 2 * time.Second

// strictNodes starts nodes with strict names on a server of the user's, that know each other.
func strictNodes(t testing.TB, count int) (places []*place, cables []*cable) {
	t.Helper()
	s := natsWithFiles(t)
	for i := range count {
		p, c := startOn(t, s, Options{
			Name: fmt.Sprint("node ", i), Mailboxes: true, Replicas: 1, Strict: true, StrictLease: testLease,
		})
		places, cables = append(places, p), append(cables, c)
	}
	knows(t, count-1, places...)
	return places, cables
}

// cause returns why a session has closed.
func cause(t testing.TB, s *netasync.Session) error {
	t.Helper()
	select {
	case <-s.Done():
	case <-within(t).Done():
		require.Fail(t, "the session is open")
	}
	var closed netasync.Event
	for ev := range s.ReadChan() {
		closed = ev
	}
	return closed.Err
}

func isDone(s *netasync.Session) bool {
	select {
	case <-s.Done():
		return true
	default:
		return false
	}
}

// Of two nodes that claim a name at the same time one has it, and the other hears so.
func TestStrictRefuse(t *testing.T) {
	nodes, _ := strictNodes(t, 2)
	var sessions [2]*netasync.Session
	for i, n := range nodes {
		_, sessions[i] = n.session(t, netasync.ConnectOptions{})
	}
	var wins [2]int
	for round := range 100 {
		name := fmt.Sprint("name ", round)
		var claims [2]*Claim
		var both sync.WaitGroup
		for i, n := range nodes {
			both.Go(func() {
				var err error
				if claims[i], err = n.Claim(within(t), name, sessions[i], Refuse); err != nil {
					assert.ErrorIs(t, err, ErrClaimed)
				}
			})
		}
		both.Wait()
		require.NotEqual(t, claims[0] == nil, claims[1] == nil, "one of them has it")
		winner := 0
		if claims[1] != nil {
			winner = 1
		}
		wins[winner]++
		again, err := nodes[winner].Claim(within(t), name, sessions[winner], Refuse)
		require.NoError(t, err)
		require.Same(t, claims[winner], again)
		claims[winner].Release()
		other, err := nodes[1-winner].Claim(within(t), name, sessions[1-winner], Refuse)
		require.NoError(t, err, "it is free at once")
		other.Release()
	}
	t.Log("wins:", wins)
	for i := range sessions {
		require.False(t, isDone(sessions[i]), "nobody was closed")
	}
	eventually(t, func() bool { return nodes[0].entries(t) == 2 }, "nothing is left but leases")
}

// entries is how many entries there are of strict names and leases.
func (p *place) entries(t testing.TB) (count uint64) {
	t.Helper()
	var info struct {
		State struct {
			Messages uint64 `json:"messages"`
		} `json:"state"`
	}
	require.NoError(t, p.strict.stream.ask(within(t), "STREAM.INFO."+p.strict.stream.name, nil, &info))
	return info.State.Messages
}

// A session that replaces another one has the name when that has closed, wherever the two live.
func TestStrictReplace(t *testing.T) {
	nodes, _ := strictNodes(t, 2)
	var before *netasync.Session
	var clients, sessions [20]*netasync.Session // all of them first, as clients of closed ones come again
	for round := range sessions {
		clients[round], sessions[round] = nodes[round/2%2].session(t, netasync.ConnectOptions{})
	}
	for round, s := range sessions {
		n := nodes[round/2%2] // at the same node, and at another one
		_, err := n.Claim(within(t), "ada", s, Replace)
		require.NoError(t, err)
		if before != nil {
			require.True(t, isDone(before), "it closes first")
			require.ErrorIs(t, cause(t, before), ErrReplaced)
		}
		require.NoError(t, n.Send(within(t), "ada", []byte("hello")))
		require.Equal(t, "hello", message(t, clients[round]))
		before = s
	}
	require.False(t, isDone(before))
}

// Many claims to one name at once, at two nodes: at no moment two sessions have it.
func TestStrictReplaceAtOnce(t *testing.T) {
	nodes, _ := strictNodes(t, 2)
	var mu sync.Mutex // guards holder
	var holder *netasync.Session
	var all sync.WaitGroup
	var sessions [20]*netasync.Session
	for i := range sessions {
		_, sessions[i] = nodes[i%2].session(t, netasync.ConnectOptions{})
	}
	for i, s := range sessions {
		n := nodes[i%2]
		all.Go(func() {
			c, err := n.Claim(within(t), "ada", s, Replace)
			if errors.Is(err, netasync.ErrClosed) { // it was replaced before Claim has returned
				return
			}
			if !assert.NoError(t, err) {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if c.holds() {
				assert.True(t, holder == nil || isDone(holder), "two sessions have the name")
				holder = s
			}
		})
	}
	all.Wait()
	require.False(t, isDone(holder))
}

// holds reports whether a claim has not ended.
func (c *Claim) holds() bool {
	c.node.mu.Lock()
	defer c.node.mu.Unlock()
	return c.node.claims[c.id()] == c
}

// A node that is cut off loses its names by itself, before another node gets them.
func TestStrictCutOff(t *testing.T) {
	nodes, cables := strictNodes(t, 2)
	_, first := nodes[0].session(t, netasync.ConnectOptions{})
	_, err := nodes[0].Claim(within(t), "ada", first, Replace)
	require.NoError(t, err)
	_, third := nodes[0].session(t, netasync.ConnectOptions{})
	cables[0].cut()
	begun := time.Now()
	_, second := nodes[1].session(t, netasync.ConnectOptions{})
	_, err = nodes[1].Claim(within(t), "ada", second, Refuse)
	require.ErrorIs(t, err, ErrClaimed, "it may live")

	ended := make(chan time.Time, 1)
	go func() { <-first.Done(); ended <- time.Now() }()
	_, err = nodes[1].Claim(within(t), "ada", second, Replace)
	require.NoError(t, err)
	got := time.Now()
	require.True(t, isDone(first), "it closes first")
	lost := <-ended
	require.True(t, lost.Before(got))
	t.Logf("lost after %v, got after %v, of a lease of %v", lost.Sub(begun), got.Sub(begun), testLease)
	require.ErrorIs(t, cause(t, first), ErrLeaseLost)

	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = nodes[0].Claim(short, "eve", third, Replace)
	require.ErrorIs(t, err, ErrNoMajority)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	cables[0].mend()
	_, err = nodes[0].Claim(within(t), "eve", third, Refuse)
	require.NoError(t, err, "it is one of them again")
	_, err = nodes[0].Claim(within(t), "ada", third, Refuse)
	require.ErrorIs(t, err, ErrClaimed)
	require.False(t, isDone(second))
}

// A lease is renewed: what a node has it keeps.
func TestStrictLasts(t *testing.T) {
	nodes, _ := strictNodes(t, 1)
	_, s := nodes[0].session(t, netasync.ConnectOptions{})
	_, err := nodes[0].Claim(within(t), "ada", s, Replace)
	require.NoError(t, err)
	until := func() time.Time {
		nodes[0].strict.mu.Lock()
		defer nodes[0].strict.mu.Unlock()
		return nodes[0].strict.until
	}
	first := until()
	eventually(t, func() bool { return until().Sub(first) > 2*testLease }, "it is renewed")
	require.False(t, isDone(s))
}

// What a node had that has ended is free at once.
func TestStrictShutdown(t *testing.T) {
	nodes, _ := strictNodes(t, 2)
	_, first := nodes[0].session(t, netasync.ConnectOptions{})
	for i := range 50 {
		_, err := nodes[0].Claim(within(t), fmt.Sprint("name ", i), first, Replace)
		require.NoError(t, err)
	}
	require.NoError(t, nodes[0].Shutdown(within(t)))
	begun := time.Now()
	_, second := nodes[1].session(t, netasync.ConnectOptions{})
	for i := range 50 {
		_, err := nodes[1].Claim(within(t), fmt.Sprint("name ", i), second, Refuse)
		require.NoError(t, err)
	}
	require.Less(t, time.Since(begun), testLease)
}

// A node whose lease was ended by others, as after it was stopped for long, loses its names and gets a
// new lease; what it had is free.
func TestStrictFenced(t *testing.T) {
	nodes, _ := strictNodes(t, 2)
	_, s := nodes[0].session(t, netasync.ConnectOptions{})
	_, err := nodes[0].Claim(within(t), "ada", s, Replace)
	require.NoError(t, err)
	st := nodes[1].strict
	eventually(t, func() bool {
		l, found, err := st.stream.get(within(t), getRequest{Last: st.stream.leaseSubject(nodes[0].id)})
		if err != nil || !found {
			return false
		}
		e := leaseEntry{node: nodes[0].id, epoch: 1, dead: true}
		_, err = st.stream.put(within(t), st.stream.leaseSubject(nodes[0].id), e.append(nil), l.sequence)
		return err == nil
	}, "its lease has ended")
	require.ErrorIs(t, cause(t, s), ErrLeaseLost)
	_, second := nodes[1].session(t, netasync.ConnectOptions{})
	_, err = nodes[1].Claim(within(t), "ada", second, Refuse)
	require.NoError(t, err)
	_, third := nodes[0].session(t, netasync.ConnectOptions{})
	_, err = nodes[0].Claim(within(t), "bob", third, Refuse)
	require.NoError(t, err)
	_, err = nodes[0].Claim(within(t), "ada", third, Refuse)
	require.ErrorIs(t, err, ErrClaimed)
}

// A message is not given to a session whose lease has run out, be it that nobody has closed it yet.
func TestStrictSendAfterTheLease(t *testing.T) {
	nodes, _ := strictNodes(t, 1)
	_, s := nodes[0].session(t, netasync.ConnectOptions{})
	c, err := nodes[0].Claim(within(t), "ada", s, Replace)
	require.NoError(t, err)
	require.NoError(t, nodes[0].Send(within(t), "ada", []byte("hello")))
	st := nodes[0].strict
	st.finish() // so that nothing but the clock says so, as when a stopped process goes on
	require.False(t, isDone(s))
	require.True(t, c.holds())
	require.ErrorIs(t, nodes[0].Send(within(t), "ada", []byte("late")), ErrNoSession)
}
