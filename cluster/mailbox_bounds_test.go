package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// A mailbox that is full refuses, and takes again when something was delivered. Others have room meanwhile.
func TestMailboxFull(t *testing.T) {
	p := mailNode(t, Options{MailboxMessages: 5})
	post(t, p, "ada", 0, 5)
	require.ErrorIs(t, p.Post(within(t), "ada", []byte("more")), ErrMailboxFull)
	post(t, p, "bob", 0, 5)
	client, accepted := p.session(t, netasync.ConnectOptions{})
	_, err := p.Claim(within(t), "ada", accepted, Replace)
	require.NoError(t, err)
	mailed(t, client, "ada", 0, 5)
	eventually(t, func() bool { return p.left(t) == 5 }, "there is room again")
	post(t, p, "ada", 5, 10)
	mailed(t, client, "ada", 5, 10)
}

// MailboxBytes bounds all of them together.
func TestMailboxesFull(t *testing.T) {
	p := mailNode(t, Options{MailboxBytes: 100_000})
	stored := 0
	var err error
	for ; stored < 100 && err == nil; stored++ {
		err = p.Post(within(t), fmt.Sprint("name ", stored), make([]byte, 10_000))
	}
	require.ErrorIs(t, err, ErrMailboxFull)
	require.Equal(t, 10, stored, "of which the last was refused")
}

// What is too old is gone.
func TestMailboxAge(t *testing.T) {
	p := mailNode(t, Options{MailboxAge: 200 * time.Millisecond})
	post(t, p, "ada", 0, 3)
	emptied(t, p)
	client, accepted := p.session(t, netasync.ConnectOptions{})
	_, err := p.Claim(within(t), "ada", accepted, Replace)
	require.NoError(t, err)
	post(t, p, "ada", 3, 4)
	mailed(t, client, "ada", 3, 4)
}

// A message that its session cannot send stands in nobody's way.
func TestMailboxDropsWhatIsTooLarge(t *testing.T) {
	p := mailNode(t, Options{})
	var err error
	p.listener, err = p.engine.Listen("127.0.0.1:0", netasync.ListenOptions{MaxPayload: 1000})
	require.NoError(t, err)
	post(t, p, "ada", 0, 2)
	require.NoError(t, p.Post(within(t), "ada", make([]byte, 1001)))
	post(t, p, "ada", 2, 4)
	client, accepted := p.session(t, netasync.ConnectOptions{})
	_, err = p.Claim(within(t), "ada", accepted, Replace)
	require.NoError(t, err)
	mailed(t, client, "ada", 0, 4)
	emptied(t, p)
}

// A session whose WriteBuffer is smaller than a batch, and whose peer reads late, gets all.
func TestMailboxOfASlowSession(t *testing.T) {
	p := mailNode(t, Options{})
	l, err := p.engine.Listen("127.0.0.1:0", netasync.ListenOptions{WriteBuffer: netasync.Fixed(3), Resume: true})
	require.NoError(t, err)
	p.listener = l
	for i := range 100 {
		require.NoError(t, p.Post(within(t), "ada", fmt.Appendf(nil, "ada %d%s", i, strings.Repeat(" ", 50_000))))
	}
	client, accepted := p.session(t, netasync.ConnectOptions{Resume: true, ReadBuffer: netasync.Fixed(1)})
	_, err = p.Claim(within(t), "ada", accepted, Replace)
	require.NoError(t, err)
	eventually(t, func() bool { return accepted.Stats().Unacked > 0 }, "its peer does not read")
	for i := range 100 {
		require.Equal(t, fmt.Sprint("ada ", i), strings.TrimSpace(message(t, client)))
	}
	emptied(t, p)
}

// Many names cost neither goroutines nor consumers.
func TestManyMailboxes(t *testing.T) {
	const names, each = mailNames, 10
	p := mailNode(t, Options{})
	client, accepted := p.session(t, netasync.ConnectOptions{})
	var posting sync.WaitGroup
	for begin := range 20 {
		posting.Go(func() {
			for i := begin; i < names; i += 20 {
				name := fmt.Sprint("name ", i)
				for j := range each {
					assert.NoError(t, p.Post(t.Context(), name, fmt.Appendf(nil, "%s %d", name, j)))
				}
			}
		})
	}
	posting.Wait()
	require.EqualValues(t, names*each, p.left(t))
	before := runtime.NumGoroutine()
	for i := range names {
		_, err := p.Claim(within(t), fmt.Sprint("name ", i), accepted, Replace)
		require.NoError(t, err)
	}
	next, most, come := map[string]int{}, 0, 0
	for payload, err := range client.Messages(within(t)) {
		require.NoError(t, err)
		name, number, _ := strings.Cut(strings.TrimPrefix(string(payload), "name "), " ")
		require.Equal(t, fmt.Sprint(next[name]), number)
		next[name]++
		if come++; come == names*each {
			break
		}
		if come%100 == 0 {
			most = max(most, runtime.NumGoroutine())
		}
	}
	require.Less(t, most, before+100)
	emptied(t, p)
	eventually(t, func() bool { return runtime.NumGoroutine() <= before+3 }, "no goroutine stays")
}

// A Dir is of one node at a time, of one cluster, with Listen or without.
func TestDirBelongsToOneNode(t *testing.T) {
	dir := t.TempDir()
	p := mailNode(t, Options{Dir: dir, Cluster: "one"})
	refused := func(o Options, what string) {
		t.Helper()
		o.Dir, o.Engine = dir, p.engine
		n, err := Start(o)
		if err == nil {
			_ = n.Shutdown(within(t))
		}
		require.ErrorContains(t, err, what)
		require.ErrorContains(t, err, "cluster: Dir "+dir)
	}
	refused(Options{Cluster: "one"}, "another node uses it")
	require.NoError(t, p.Shutdown(within(t)))
	refused(Options{Cluster: "two"}, `it belongs to the cluster "one", not to "two"`)
	refused(Options{Cluster: "one", Listen: "127.0.0.1:0", Peers: []string{"127.0.0.1:1"}},
		"made by a node with Listen: false")
	require.NoError(t, os.WriteFile(filepath.Join(dir, ownerFile), []byte("{"), 0o600))
	refused(Options{Cluster: "one"}, "damaged")
}

func TestMailboxOptions(t *testing.T) {
	e := newEngine(t)
	for field, o := range map[string]Options{
		"Dir":       {Dir: "nowhere", Listen: "127.0.0.1:0"},
		"Mailboxes": {Mailboxes: true}, "MailboxAge": {MailboxAge: time.Millisecond},
		"MailboxMessages": {MailboxMessages: -1}, "MailboxBytes": {MailboxBytes: -1}, "Replicas": {Replicas: 6},
	} {
		o.Engine = e
		_, err := Start(o)
		require.ErrorContains(t, err, "cluster: "+field)
	}
}

// Send to a name whose mailbox is not emptied yet says of a payload that is too large that it is.
func TestMailboxHoldsNothingTooLarge(t *testing.T) {
	p := mailNode(t, Options{})
	l, err := p.engine.Listen("127.0.0.1:0", netasync.ListenOptions{MaxPayload: 1000})
	require.NoError(t, err)
	p.listener = l
	client, accepted := p.session(t, netasync.ConnectOptions{})
	c := &Claim{node: p.Node, name: "ada", session: accepted, mail: p.mail.delivery("ada", accepted)}
	require.ErrorIs(t, c.trySend(make([]byte, 1001)), netasync.ErrFrameTooLarge)
	require.NoError(t, c.trySend(make([]byte, 1000)))
	require.Zero(t, accepted.Stats().Accepted, "it waits")
	require.True(t, c.mail.hold.release(within(t), accepted))
	require.Len(t, message(t, client), 1000)
	require.ErrorIs(t, c.trySend(make([]byte, 1001)), netasync.ErrFrameTooLarge)
}
