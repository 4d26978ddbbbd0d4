package e2e_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

const agents, burst, kept = 200, 20, 16 // metrics at a time, and while the collector is away

// agent is a program that reports metrics to a collector, which need not be there.
type agent struct {
	name     string
	s        *netasync.Session
	reported int
}

func newAgent(t *testing.T, e *netasync.Engine, addr, name string) *agent {
	s, err := e.Connect(addr, netasync.ConnectOptions{
		WriteBuffer: netasync.Sliding(kept), AwaitPeer: true,
		Backoff: netasync.Backoff{Initial: 50 * time.Millisecond, Factor: 1, Jitter: 1},
		Hello:   func(epoch uint64) [][]byte { return words(fmt.Sprintf("I am %s for time %d", name, epoch)) },
		OnEvent: func(*netasync.Session, netasync.Event) {}, // else unread events would be kept
	})
	require.NoError(t, err)
	return &agent{name: name, s: s}
}

// report reports some metrics, without waiting.
func (a *agent) report(t *testing.T) {
	for range burst {
		require.NoError(t, a.s.TrySend(fmt.Appendf(nil, "load %d", a.reported)))
		a.reported++
	}
}

// collector takes the metrics of agents, which say who they are first.
type collector struct {
	mu       sync.Mutex // guards all below
	intros   map[string]bool
	latest   map[string]int // metric of each agent
	received uint64         // metrics
	faults   []string
}

func (c *collector) onEvent(s *netasync.Session, ev netasync.Event) {
	if ev.Kind != netasync.Message {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	line := string(ev.Payload)
	name, introduced := s.Value().(string)
	before, known := c.latest[name]
	var n int
	switch {
	case !introduced:
		if _, err := fmt.Sscanf(line, "I am %s for time %d", &name, &n); err != nil || c.intros[line] {
			c.faults = append(c.faults, "no introduction: "+line)
		}
		c.intros[line] = true
		s.SetValue(name)
	default:
		if _, err := fmt.Sscanf(line, "load %d", &n); err != nil || known && n <= before {
			c.faults = append(c.faults, fmt.Sprintf("%s: %s behind %d", name, line, before))
		}
		c.latest[name] = n
		c.received++
	}
}

// The collector comes late and is restarted. Each connection of an agent begins with who it is, what
// waits are its newest metrics, none comes twice, and the figures add up.
func TestProgramAgents(t *testing.T) {
	addr, fleet := testkit.DeadAddr(t).String(), newEngine(t)
	c := &collector{intros: make(map[string]bool), latest: make(map[string]int)}
	var all []*agent
	for n := range agents {
		all = append(all, newAgent(t, fleet, addr, fmt.Sprintf("machine-%d", n)))
	}
	begin := func() (server *netasync.Engine) {
		for _, a := range all {
			testkit.Eventually(t, func() bool { return a.s.State() != netasync.StateConnected }, "%s is down", a.name)
			a.report(t)
			require.Equal(t, kept, a.s.Stats().Queued)
		}
		server = newEngine(t)
		listenAt(t, server, addr, netasync.ListenOptions{OnEvent: c.onEvent})
		testkit.Eventually(t, func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			return !slices.ContainsFunc(all, func(a *agent) bool { return c.latest[a.name] != a.reported-1 })
		}, "the latest metric of each agent")
		return server
	}
	first, stopped := begin(), make(chan error, 1)
	go func() { stopped <- first.Shutdown(testkit.Context(t)) }()
	for _, a := range all {
		a.report(t) // sent, lost with the connection, kept or dropped
	}
	require.NoError(t, testkit.Take(t, stopped))
	begin()
	require.NoError(t, fleet.Shutdown(testkit.Context(t)), "all was sent")
	require.Empty(t, c.faults)
	require.Len(t, c.intros, 2*agents)
	for _, a := range all {
		require.EqualValues(t, a.reported, a.s.Stats().Accepted)
	}
	m := fleet.Stats().Messages
	require.EqualValues(t, agents*3*burst, m.Sent+m.Dropped)
	require.LessOrEqual(t, c.received, m.Sent)
	t.Logf("%d reported, %d dropped, %d sent, %d received", m.Accepted, m.Dropped, m.Sent, c.received)
}
