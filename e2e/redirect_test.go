package e2e_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// Sessions that live in one of two engines, whose peers come to the other one: that says where to go, or
// passes the connection on.

// atlas is a client's network: it has names for hosts, and remembers which of them were dialed.
type atlas struct {
	cutter
	mu     sync.Mutex // guards all below
	hosts  map[string]net.Addr
	dialed []string
}

func (a *atlas) dial(ctx context.Context, network, address string) (net.Conn, error) {
	a.mu.Lock()
	a.dialed = append(a.dialed, address)
	to := a.hosts[address]
	a.mu.Unlock()
	if to == nil {
		return nil, fmt.Errorf("no host has the address %s", address)
	}
	return a.cutter.dial(ctx, network, to.String())
}

// took returns the addresses that were dialed since the last time.
func (a *atlas) took() (dialed []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	dialed, a.dialed = a.dialed, nil
	return dialed
}

// journey is a session that lives at node a, of a client whose endpoint is then node b.
type journey struct {
	*twoNodes
	*atlas
	client, accepted *netasync.Session
	round            int
}

// depart begins a session at the node a.test. Then the client knows b.test alone, which names another
// address, to; of that the client's network may have another opinion.
func depart(t *testing.T, to string, a, b netasync.ListenOptions, o netasync.ConnectOptions) *journey {
	t.Helper()
	b.Redirect = func(token []byte, _ netasync.ConnInfo) string {
		if string(token[:8]) != "node a  " {
			t.Errorf("asked about the token %q", token)
		}
		return to
	}
	j := &journey{twoNodes: newNodes(t, a, b), atlas: &atlas{}}
	j.hosts = map[string]net.Addr{"a.test:1": j.a.Addr(), "b.test:2": j.b.Addr()}
	endpoint := "a.test:1"
	o.Resume, o.Backoff, o.Dial = true, quick, j.atlas.dial
	o.Resolve = func(context.Context) ([]string, error) {
		was := endpoint
		endpoint = "b.test:2"
		return []string{was}, nil
	}
	var err error
	j.client, err = newEngine(t).Connect("", o)
	require.NoError(t, err)
	j.accepted = testkit.Take(t, j.a.AcceptChan())
	expect(t, j.client, netasync.Connected)
	expect(t, j.accepted, netasync.Connected)
	require.Equal(t, []string{"a.test:1"}, j.took())
	return j
}

// move cuts the connection while there is something under way, both ways, and sees it arrive. It returns
// what was dialed for that.
func (j *journey) move() []string {
	j.t.Helper()
	j.round++
	there, back := fmt.Sprint("there ", j.round), fmt.Sprint("back ", j.round)
	send(j.t, j.client, there)
	send(j.t, j.accepted, back)
	j.cut(j.round%3 == 0)
	require.True(j.t, untilResumed(j.t, j.client, back))
	require.True(j.t, untilResumed(j.t, j.accepted, there))
	send(j.t, j.accepted, "proof") // without one, the next connection would ask to be passed on
	expectMessages(j.t, j.client, "proof")
	return j.took()
}

// ends ends the session, and sees that nothing is missing.
func (j *journey) ends() {
	j.t.Helper()
	require.NoError(j.t, j.client.Close())
	expectClosed(j.t, j.client)
	expectClosed(j.t, j.accepted)
	require.Zero(j.t, j.client.Stats().Lost)
	require.EqualValues(j.t, j.round, j.client.Stats().Resumed)
	require.Empty(j.t, j.b.AcceptChan(), "it has never lived there")
}

func anywhere(string) bool { return true }

// A client that follows redirects goes on exactly once, and there is nobody in between.
func TestResumeByRedirect(t *testing.T) {
	j := depart(t, "a.test:1", netasync.ListenOptions{}, netasync.ListenOptions{}, netasync.ConnectOptions{FollowRedirect: anywhere})
	for range 30 {
		require.Equal(t, []string{"b.test:2", "a.test:1"}, j.move())
		require.Equal(t, j.client.LocalAddr().String(), j.accepted.RemoteAddr().String())
	}
	require.Empty(t, j.infos, "no connection was passed on")
	j.ends()
}

// Without FollowRedirect, or where it is against the address, connections are passed on as ever.
func TestResumeWithoutRedirect(t *testing.T) {
	for name, c := range map[string]struct {
		follow func(string) bool
		dialed []string
	}{
		"nil":     {nil, []string{"b.test:2"}},
		"against": {func(addr string) bool { return addr != "a.test:1" }, []string{"b.test:2", "b.test:2"}},
	} {
		t.Run(name, func(t *testing.T) {
			j := depart(t, "a.test:1", netasync.ListenOptions{}, netasync.ListenOptions{}, netasync.ConnectOptions{FollowRedirect: c.follow})
			for range 3 {
				require.Equal(t, c.dialed, j.move())
				testkit.Take(t, j.infos)
			}
			j.ends()
		})
	}
}

// An address that is wrong costs a dial: connections are passed on then.
func TestResumeByAWrongRedirect(t *testing.T) {
	stranger := listen(t, newEngine(t), netasync.ListenOptions{Resume: true})
	plain := listen(t, newEngine(t), netasync.ListenOptions{})
	for to, dials := range map[string]int{
		"dead.test:3":     3, // there is no such host
		"b.test:2":        2, // a circle: there it is passed on
		"stranger.test:4": 3, // another engine, which would begin a session
		"plain.test:5":    3, // another one, without Resume
		"a.test:http":     1, // no address that is told
		"":                1,
	} {
		t.Run(to, func(t *testing.T) {
			j := depart(t, to, netasync.ListenOptions{}, netasync.ListenOptions{}, netasync.ConnectOptions{FollowRedirect: anywhere, MaxAttempts: 3})
			j.hosts["stranger.test:4"], j.hosts["plain.test:5"] = stranger.Addr(), plain.Addr()
			for j.round < 3 && (j.round == 0 || to != "plain.test:5") { // that one is waited for
				dialed := j.move()
				require.Len(t, dialed, dials)
				require.Equal(t, "b.test:2", dialed[dials-1])
				testkit.Take(t, j.infos)
			}
			j.ends()
			require.Empty(t, stranger.AcceptChan())
		})
	}
}

// The same TLS examines the other host: by its own name, unless TLS says one for all.
func TestResumeByRedirectWithTLS(t *testing.T) {
	authority := testkit.NewAuthority()
	server := func(name string) netasync.ListenOptions {
		return netasync.ListenOptions{TLS: &tls.Config{
			Certificates: []tls.Certificate{authority.Issue(name, x509.ExtKeyUsageServerAuth, name)},
		}}
	}
	for name, c := range map[string]struct {
		a, b, expected string // of which hosts the certificates are, and whom the client wants
		direct         bool
	}{
		"each its own name":  {"a.test", "b.test", "", true},
		"one name for all":   {"all.test", "all.test", "all.test", true},
		"not the host named": {"a.test", "b.test", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			to := "a.test:1"
			if !c.direct {
				to = "c.test:3" // the same host by another name, for which it has no certificate
			}
			j := depart(t, to, server(c.a), server(c.b), netasync.ConnectOptions{
				FollowRedirect: anywhere, TLS: &tls.Config{RootCAs: authority.Pool(), ServerName: c.expected},
			})
			j.hosts["c.test:3"] = j.a.Addr()
			for range 3 {
				dialed := j.move()
				if c.direct {
					require.Equal(t, []string{"b.test:2", "a.test:1"}, dialed)
					state, _ := j.client.TLS()
					require.Equal(t, c.a, state.PeerCertificates[0].Subject.CommonName)
					continue
				}
				require.Equal(t, []string{"b.test:2", "c.test:3", "b.test:2"}, dialed)
				require.True(t, testkit.Take(t, j.infos).Secure)
			}
			j.ends()
		})
	}
}
