package cluster

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// A client whose connection is cut all the time gets each message once, in order.
func TestMailboxOverCutConnections(t *testing.T) {
	p := mailNode(t, Options{})
	l, err := p.engine.Listen("127.0.0.1:0", netasync.ListenOptions{Resume: true})
	require.NoError(t, err)
	const count = 2000
	post(t, p, "ada", 0, count)
	client := wander(t, l.Addr().String())
	accepted := <-l.AcceptChan()
	_, err = p.Claim(within(t), "ada", accepted, Replace)
	require.NoError(t, err)
	next := 0
	for next < count {
		ev, err := client.Recv(within(t))
		require.NoError(t, err)
		if ev.Kind != netasync.Message {
			require.NotEqual(t, netasync.Closed, ev.Kind)
			continue
		}
		require.Equal(t, fmt.Sprint("ada ", next), string(ev.Payload))
		if next++; next%100 == 0 {
			client.move(l.Addr().String())
		}
	}
	emptied(t, p)
	require.Zero(t, client.Stats().Lost)
	require.Greater(t, client.Stats().Resumed, uint64(5))
}

// What a session has taken and its peer has not acknowledged stays, for the next session.
func TestMailboxKeepsWhatHasNotArrived(t *testing.T) {
	p := mailNode(t, Options{})
	l, err := p.engine.Listen("127.0.0.1:0", netasync.ListenOptions{Resume: true})
	require.NoError(t, err)
	client := wander(t, l.Addr().String())
	accepted := <-l.AcceptChan()
	require.NoError(t, client.WaitConnected(within(t)))
	client.move(freeAddrs(t, 1)[0]) // where nobody is
	eventually(t, func() bool { return accepted.State() != netasync.StateConnected }, "it has no peer")
	post(t, p, "ada", 0, 10)
	_, err = p.Claim(within(t), "ada", accepted, Replace)
	require.NoError(t, err)
	d := p.mail.all()[0]
	eventually(t, func() bool {
		p.mail.mu.Lock()
		defer p.mail.mu.Unlock()
		return accepted.Stats().Queued == 10 && (d.state == parked || d.state == idle)
	}, "it waits")
	accepted.CloseNow(nil)
	peer, second := p.session(t, netasync.ConnectOptions{})
	_, err = p.Claim(within(t), "ada", second, Replace)
	require.NoError(t, err)
	mailed(t, peer, "ada", 0, 10)
	emptied(t, p)
}

// A claim that goes to another node in the middle loses nothing, and what comes twice was under way.
func TestMailboxMovesBetweenNodes(t *testing.T) {
	nodes := mailNodes(t, 3)
	const count, moves = 400, 4
	postMany(t, nodes[0], "ada", count)
	var mu sync.Mutex // guards what the clients have had
	had, repeats := map[string]bool{}, 0
	hadAtLeast := func(wanted int) func() bool {
		return func() bool { mu.Lock(); defer mu.Unlock(); return len(had) >= wanted }
	}
	for i := range moves {
		n := nodes[i%3]
		l, err := n.engine.Listen("127.0.0.1:0", netasync.ListenOptions{Resume: true})
		require.NoError(t, err)
		n.listener = l
		client, accepted := n.session(t, netasync.ConnectOptions{Resume: true})
		var reading sync.WaitGroup
		t.Cleanup(reading.Wait)
		t.Cleanup(func() { client.CloseNow(nil) })
		reading.Go(func() {
			last := uint64(0)
			for ev := range client.ReadChan() {
				if ev.Kind != netasync.Message {
					continue
				}
				sequence := binary.BigEndian.Uint64(ev.Payload)
				assert.Greater(t, sequence, last, "in order")
				last = sequence
				mu.Lock()
				if had[string(ev.Payload[8:])] {
					repeats++
				}
				had[string(ev.Payload[8:])] = true
				mu.Unlock()
			}
		})
		_, err = n.Claim(within(t), "ada", accepted, Replace)
		require.NoError(t, err)
		eventually(t, hadAtLeast((i+1)*50), "some come")
	}
	eventually(t, hadAtLeast(count), "all come")
	require.LessOrEqual(t, repeats, moves*batchMessages)
	t.Log("twice:", repeats)
	eventually(t, func() bool { return nodes[0].left(t) == 1 }, "but the first one, of somebody else")
}

// postMany posts at the same time, in no order.
func postMany(t testing.TB, n *place, name string, count int) {
	t.Helper()
	var posting sync.WaitGroup
	for begin := range 20 {
		posting.Go(func() {
			for i := begin; i < count; i += 20 {
				assert.NoError(t, n.Post(t.Context(), name, fmt.Appendf(nil, "%s %d", name, i)))
			}
		})
	}
	posting.Wait()
}

// A mailbox comes to as many nodes as there are, one after the other.
func TestMailboxGrows(t *testing.T) {
	addrs := freeAddrs(t, 3)
	var nodes []*place
	for i, addr := range addrs {
		nodes = append(nodes, mailNode(t, Options{
			Listen: addr, Peers: addrs[:2], Relay: "127.0.0.1:0", Secret: secret, mailPoll: 50 * time.Millisecond,
		}))
		if i > 0 {
			require.NoError(t, nodes[0].Post(within(t), "ada", []byte("hello")))
			eventually(t, func() bool { return nodes[0].copies(t) == i+1 }, "one copy for each node")
		}
	}
}

// What is stored at three nodes is there when one of them has died, be it the leader: then Post waits
// for the next one.
func TestMailboxOutlivesANode(t *testing.T) {
	addrs := freeAddrs(t, 3)
	child := startChild(t, addrs)
	var nodes []*place
	for i := range 2 {
		nodes = append(nodes, mailNode(t, Options{
			Listen: addrs[i], Peers: addrs, Relay: "127.0.0.1:0", Secret: secret,
			mailPoll: 200 * time.Millisecond,
		}))
	}
	require.NoError(t, nodes[0].Post(within(t), "bob", []byte("hello")))
	eventually(t, func() bool { return nodes[0].copies(t) == 3 }, "each has a copy")
	post(t, nodes[0], "ada", 0, 20)
	nodes[0].leadBy(t, child.name)
	child.kill()

	short, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, nodes[0].Post(short, "eve", []byte("hello")), context.DeadlineExceeded)
	begun := time.Now()
	post(t, nodes[1], "ada", 20, 21)
	t.Logf("stored again after %v", time.Since(begun))
	post(t, nodes[0], "ada", 21, 25)
	client, accepted := nodes[1].session(t, netasync.ConnectOptions{})
	_, err := nodes[1].Claim(within(t), "ada", accepted, Replace)
	require.NoError(t, err)
	mailed(t, client, "ada", 0, 25)
	post(t, nodes[0], "ada", 25, 26)
	mailed(t, client, "ada", 25, 26)
}

// A node that ends in the middle of a delivery ends soon, and the rest is there when it comes back; so
// it is when all have been away.
func TestMailboxShutdown(t *testing.T) {
	dir := t.TempDir()
	p := mailNode(t, Options{Dir: dir})
	post(t, p, "ada", 0, 1000)
	var err error
	p.listener, err = p.engine.Listen("127.0.0.1:0", netasync.ListenOptions{Resume: true})
	require.NoError(t, err)
	client, accepted := p.session(t, netasync.ConnectOptions{Resume: true, ReadBuffer: netasync.Fixed(1)})
	_, err = p.Claim(within(t), "ada", accepted, Replace)
	require.NoError(t, err)
	mailed(t, client, "ada", 0, 200)
	begun := time.Now()
	require.NoError(t, p.Shutdown(within(t)))
	require.Less(t, time.Since(begun), 10*time.Second)
	require.NoError(t, client.Close())

	p = mailNode(t, Options{Dir: dir})
	client, accepted = p.session(t, netasync.ConnectOptions{})
	_, err = p.Claim(within(t), "ada", accepted, Replace)
	require.NoError(t, err)
	var first int
	_, err = fmt.Sscanf(message(t, client), "ada %d", &first)
	require.NoError(t, err)
	require.Positive(t, first, "what has arrived is not there any more")
	require.LessOrEqual(t, first, 200+int(client.Stats().Unread)+batchMessages)
	mailed(t, client, "ada", first+1, 1000)
}

// What nobody has told of is found nevertheless.
func TestMailboxIsLookedInto(t *testing.T) {
	p := mailNode(t, Options{mailPoll: 50 * time.Millisecond})
	client, accepted := p.session(t, netasync.ConnectOptions{})
	_, err := p.Claim(within(t), "ada", accepted, Replace)
	require.NoError(t, err)
	eventually(t, func() bool {
		p.mail.mu.Lock()
		defer p.mail.mu.Unlock()
		return p.mail.names["ada"].state == idle
	}, "it is empty")
	_, err = p.nats.Request(p.mail.stream.subject("ada"), []byte("hello"), patience)
	require.NoError(t, err)
	require.Equal(t, "hello", message(t, client))
}

// Mailboxes may be those of the user's own servers.
func TestMailboxesOfOwnServers(t *testing.T) {
	p := mailNode(t, Options{})
	q := start(t, Options{NATS: p.nats, Mailboxes: true, Cluster: "other"})
	post(t, q, "ada", 0, 10)
	require.Zero(t, p.left(t))
	client, accepted := q.session(t, netasync.ConnectOptions{})
	_, err := q.Claim(within(t), "ada", accepted, Replace)
	require.NoError(t, err)
	mailed(t, client, "ada", 0, 10)
	emptied(t, q)
}

// Post says whether a message may be stored, and stores it under one ID however often it tries.
func TestPostWithoutAnAnswer(t *testing.T) {
	server := start(t, Options{})
	p := start(t, Options{NATS: server.nats, Mailboxes: true, Cluster: "other"})
	short := func() context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	err := p.Post(short(), "ada", []byte("hello"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotErrorIs(t, err, ErrUnknownOutcome, "nobody was there who could have stored it")

	asked := make(chan *nats.Msg, 16)
	_, err = server.nats.ChanSubscribe("netasync.other.mail.*", asked)
	require.NoError(t, err)
	require.NoError(t, server.nats.Flush())
	err = p.Post(short(), "ada", []byte("hello"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, err, ErrUnknownOutcome)
	<-asked

	result := make(chan error, 1)
	go func() { result <- p.Post(within(t), "ada", []byte("hello")) }()
	first, again := <-asked, <-asked
	require.NotEmpty(t, first.Header.Get(nats.MsgIdHdr))
	require.Equal(t, first.Header.Get(nats.MsgIdHdr), again.Header.Get(nats.MsgIdHdr))
	require.NoError(t, again.Respond([]byte(`{"stream":"NETASYNC_other","seq":1}`)))
	require.NoError(t, <-result)
}
