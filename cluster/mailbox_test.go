package cluster

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// mailNode starts a node with mailboxes.
func mailNode(t testing.TB, o Options) *place {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	o.mailPoll = cmp.Or(o.mailPoll, time.Hour) // so that nothing is found but by those who tell of it
	return start(t, o)
}

// post posts numbered messages.
func post(t testing.TB, n *place, name string, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		require.NoError(t, n.Post(within(t), name, fmt.Appendf(nil, "%s %d", name, i)))
	}
}

// mailed reads numbered messages, and wants them in order, each once.
func mailed(t testing.TB, s *netasync.Session, name string, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		require.Equal(t, fmt.Sprintf("%s %d", name, i), message(t, s))
	}
}

// left is how many messages there are in mailboxes, of all names.
func (p *place) left(t testing.TB) uint64 {
	t.Helper()
	var info struct {
		State struct {
			Messages  uint64 `json:"messages"`
			Consumers int    `json:"consumer_count"`
		} `json:"state"`
	}
	for {
		err := p.mail.stream.ask(within(t), "STREAM.INFO."+p.mail.stream.name, nil, &info)
		if err == nil {
			break
		}
		require.True(t, temporary(err), "%v", err)
	}
	require.Zero(t, info.State.Consumers)
	return info.State.Messages
}

func emptied(t testing.TB, p *place) {
	t.Helper()
	eventually(t, func() bool { return p.left(t) == 0 }, "what has arrived is deleted")
}

// What is posted to nobody is there for whoever claims the name later; then what is posted comes at once.
func TestMailbox(t *testing.T) {
	p := mailNode(t, Options{})
	const odd = "a/b c.*.>\x00\nü€"
	for _, name := range []string{"ada", odd, strings.Repeat("n", maxText)} {
		post(t, p, name, 0, 300)
		client, accepted := p.session(t, netasync.ConnectOptions{})
		_, err := p.Claim(within(t), name, accepted, Replace)
		require.NoError(t, err)
		mailed(t, client, name, 0, 300)
		post(t, p, name, 300, 310)
		mailed(t, client, name, 300, 310)
		emptied(t, p)
	}
}

// What is sent while a mailbox is emptied comes behind what was in it.
func TestMailboxComesBeforeWhatIsSent(t *testing.T) {
	p := mailNode(t, Options{})
	post(t, p, "ada", 0, 1000)
	client, accepted := p.session(t, netasync.ConnectOptions{})
	_, err := p.Claim(within(t), "ada", accepted, Replace)
	require.NoError(t, err)
	for i := 1000; i < 1100; i++ {
		require.NoError(t, p.Send(within(t), "ada", fmt.Appendf(nil, "ada %d", i)))
	}
	mailed(t, client, "ada", 0, 1100)
	require.NoError(t, p.Send(within(t), "ada", []byte("ada 1100")))
	mailed(t, client, "ada", 1100, 1101)
}

// A node with the same files has the same mailboxes.
func TestMailboxOutlivesItsNode(t *testing.T) {
	dir := t.TempDir()
	p := mailNode(t, Options{Dir: dir})
	post(t, p, "ada", 0, 20)
	require.NoError(t, p.Shutdown(within(t)))
	require.ErrorIs(t, p.Post(within(t), "ada", []byte("late")), ErrShutdown)
	p = mailNode(t, Options{Dir: dir})
	client, accepted := p.session(t, netasync.ConnectOptions{})
	_, err := p.Claim(within(t), "ada", accepted, Replace)
	require.NoError(t, err)
	mailed(t, client, "ada", 0, 20)
	emptied(t, p)
}

// With MailboxSequence each message has its number in front.
func TestMailboxSequence(t *testing.T) {
	p := mailNode(t, Options{MailboxSequence: true})
	post(t, p, "ada", 0, 3)
	client, accepted := p.session(t, netasync.ConnectOptions{})
	_, err := p.Claim(within(t), "ada", accepted, Replace)
	require.NoError(t, err)
	for i := range 3 {
		m := message(t, client)
		require.Equal(t, uint64(i+1), binary.BigEndian.Uint64([]byte(m)))
		require.Equal(t, fmt.Sprint("ada ", i), m[8:])
	}
}

func TestPostRefuses(t *testing.T) {
	p := start(t, Options{})
	require.ErrorIs(t, p.Post(within(t), "ada", []byte("hello")), ErrNoMailboxes)
	p = mailNode(t, Options{})
	require.ErrorIs(t, p.Post(within(t), "ada", nil), netasync.ErrEmptyMessage)
	require.ErrorContains(t, p.Post(within(t), "", []byte("hello")), "is not UTF-8")
	require.ErrorIs(t, p.Post(within(t), "ada", make([]byte, maxMessage+1)), netasync.ErrFrameTooLarge)
	ended, cancel := context.WithCancel(within(t))
	cancel()
	require.ErrorIs(t, p.Post(ended, "ada", []byte("hello")), context.Canceled)
}
