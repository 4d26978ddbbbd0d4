package proof

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// promise is within how long a node that says nothing is forgotten. A busy machine may take twice as
// long; what it took is logged.
const (
	promise = 4 * time.Second
	slack   = 2 * promise
)

// world is three nodes, their clients, and the books.
type world struct {
	t       *testing.T
	ledger  bool
	period  time.Duration // of heartbeats
	nodes   [nodes]*process
	starts  int
	engine  *netasync.Engine
	books   *books
	clients sync.WaitGroup
}

// newWorld starts the nodes, and waits until each knows the others. All ends with the test.
func newWorld(t *testing.T, ledger bool) *world { return newWorldOf(t, ledger, period) }

func newWorldOf(t *testing.T, ledger bool, period time.Duration) *world {
	t.Helper()
	if os.Getenv(hubVariable) == "" {
		t.Skip(allowed())
	}
	w := &world{t: t, ledger: ledger, period: period, books: newBooks()}
	var err error
	w.engine, err = netasync.NewEngine(netasync.EngineOptions{})
	require.NoError(t, err)
	t.Cleanup(w.end)
	for i := range nodes {
		w.start(i)
	}
	w.whole()
	return w
}

// end ends all, and mends the cables.
func (w *world) end() {
	for i, p := range w.nodes {
		if p != nil {
			p.kill()
		}
		unplug(w.t, i, false)
		part(w.t, i, false)
	}
	_ = w.engine.Shutdown(testkit.Context(w.t))
	w.clients.Wait()
	if w.t.Failed() {
		w.books.dump(w.t)
	}
}

// process is a node's, as the test sees it.
type process struct {
	setting
	t       testing.TB
	cmd     *exec.Cmd
	stdin   interface{ Close() error }
	orders  *json.Encoder
	answers chan report
	errs    bytes.Buffer
	ended   chan struct{} // all that it has said was heard
	once    sync.Once
}

// start starts a node anew, with a name that tells it from those before.
func (w *world) start(i int) *process {
	w.t.Helper()
	w.starts++
	p := &process{
		t: w.t, answers: make(chan report, 100), ended: make(chan struct{}),
		setting: setting{Name: fmt.Sprintf("n%d.%d", i, w.starts), Host: address(i), Ledger: w.ledger, Period: w.period},
	}
	for j := range nodes {
		if i != j {
			p.Peers = append(p.Peers, address(j)+routePort)
		}
	}
	text, err := json.Marshal(p.setting)
	require.NoError(w.t, err)
	// ip becomes the program that it starts: there is one process.
	p.cmd = exec.Command("ip", "netns", "exec", hostName(os.Getenv(hubVariable), i), os.Args[0])
	p.cmd.Env = append(os.Environ(), nodeVariable+"="+string(text))
	p.cmd.Stderr = &p.errs
	stdin, err := p.cmd.StdinPipe()
	require.NoError(w.t, err)
	p.stdin, p.orders = stdin, json.NewEncoder(stdin)
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(w.t, err)
	require.NoError(w.t, p.cmd.Start())
	w.nodes[i] = p
	go func() {
		defer close(p.ended)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			var r report
			if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
				w.books.wrong("node %s said %q", p.Name, lines.Text())
			} else if !w.books.note(r) {
				p.answers <- r
			}
		}
	}()
	p.hears("ready")
	return p
}

// ask gives an order, and returns the answer.
func (p *process) ask(o order, answer string) report {
	p.t.Helper()
	require.NoError(p.t, p.orders.Encode(o))
	return p.hears(answer)
}

func (p *process) hears(what string) report {
	p.t.Helper()
	for {
		select {
		case r := <-p.answers:
			if r.Is == what {
				return r
			}
			p.t.Logf("node %s: %s %s", p.Name, r.Is, r.Text)
		case <-p.ended:
			require.Fail(p.t, "a node has ended", "%s waits for %q: %s", p.Name, what, p.errs.String())
		case <-time.After(testkit.Patience):
			p.signal(syscall.SIGQUIT) // it says what it is doing
			<-p.ended
			_ = p.cmd.Wait()
			require.Fail(p.t, "a node does not answer", "%s waits for %q: %s", p.Name, what, p.errs.String())
		}
	}
}

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// kill ends the process at once, unless it has ended, and waits until all that it said was heard.
func (p *process) kill() {
	p.once.Do(func() {
		_ = p.cmd.Process.Kill()
		p.reap()
	})
}

// shutdown has the node end as it should.
func (p *process) shutdown() {
	p.t.Helper()
	p.ask(order{Do: "shutdown"}, "ended")
	p.once.Do(p.reap)
}

func (p *process) reap() {
	<-p.ended
	_ = p.cmd.Wait()
	_ = p.stdin.Close()
	if text := p.errs.String(); strings.Contains(text, "DATA RACE") || strings.Contains(text, "panic") || strings.Contains(text, "fatal error") {
		p.t.Errorf("node %s: %s", p.Name, text)
	}
}

// whole waits until each node knows the others, and returns how long it took.
func (w *world) whole() time.Duration {
	w.t.Helper()
	begin := time.Now()
	for i, p := range w.nodes {
		var want, found []string
		for j, other := range w.nodes {
			if i != j {
				want = append(want, other.Name)
			}
		}
		testkit.Eventually(w.t, func() bool {
			found = p.ask(order{Do: "nodes"}, "nodes").Found
			return fmt.Sprint(found) == fmt.Sprint(want)
		}, "%s knows %v", p.Name, want)
	}
	return time.Since(begin)
}

// stream has a node send numbered messages to a name by a stream.
func (p *process) stream(name string, every time.Duration) {
	p.t.Helper()
	require.NoError(p.t, p.orders.Encode(order{Do: "stream", Name: name, Every: every}))
}

// others are the nodes but one.
func (w *world) others(i int) (others []*process) {
	for j, p := range w.nodes {
		if i != j {
			others = append(others, p)
		}
	}
	return others
}

// send has a node send numbered messages to a name.
func (p *process) send(name string, every time.Duration) {
	p.t.Helper()
	require.NoError(p.t, p.orders.Encode(order{Do: "send", Name: name, Every: every}))
}

// hush has all nodes that live send no more.
func (w *world) hush() {
	w.t.Helper()
	for _, p := range w.nodes {
		select {
		case <-p.ended:
		default:
			p.ask(order{Do: "hush"}, "hushed")
		}
	}
}
