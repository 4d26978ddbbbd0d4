package proof

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/cluster"
)

// setting is what a process is told that is a node.
type setting struct {
	Name   string // of this start of it
	Host   string
	Peers  []string
	Ledger bool          // it says of each number that it has come
	Period time.Duration // of heartbeats
}

// order is a line that a node is given.
type order struct {
	Do    string        // send, stream, once, hush, members, nodes, shutdown
	Name  string        // whom to send to
	Every time.Duration // how often; with once, how long to wait for the answer
}

// report is a line that a node says.
type report struct {
	Is      string // ready, member, sent, got, closed, wrong; and answers to orders
	At      int64  // when, in nanoseconds
	Node    string // who says it; or of a member, where it is
	Name    string
	Client  string
	Session uint64
	Number  int    // of a closed session, how many messages to its name it took
	Began   int64  // when a Send began
	Outcome string // of a Send
	Text    string // an error's; or joined, left
	Queued  int
	Lost    int
	Found   []string // members as name@node, or nodes
}

const (
	room       = "all"
	routePort  = ":6222"
	clientPort = ":8899"
	period     = 500 * time.Millisecond // of heartbeats, so that clients find in 2 s that a node is away
	// patience is how long a Send may wait for its answer.
	patience = time.Second
	secret   = "what all nodes of the proof know"
)

// host is a node's process.
type host struct {
	setting
	node   *cluster.Node
	engine *netasync.Engine
	out    sync.Mutex // of standard output

	ctx     context.Context // of senders
	hush    context.CancelFunc
	senders sync.WaitGroup
}

// guest is what a node keeps of a session.
type guest struct {
	client, name string
	last, said   int
	took         int // of what the node itself has said in the session
}

// tell writes a line, by one write, so that none is torn when the process is killed.
func (h *host) tell(r report) {
	r.Node = cmp.Or(r.Node, h.Name)
	if r.At == 0 {
		r.At = time.Now().UnixNano()
	}
	line, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	h.out.Lock()
	defer h.out.Unlock()
	_, _ = os.Stdout.Write(append(line, '\n'))
}

func (h *host) wrong(format string, args ...any) {
	h.tell(report{Is: "wrong", Text: fmt.Sprintf(format, args...)})
}

// again tries for a while what a process that was killed may be in the way of.
func again[T any](try func() (T, error)) (v T, err error) {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if v, err = try(); err == nil || time.Now().After(deadline) {
			return v, err
		}
	}
}

// playNode is a node until standard input ends, or it is told to.
func playNode(text string) int {
	h := &host{}
	err := json.Unmarshal([]byte(text), &h.setting)
	if err == nil {
		err = h.open()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	h.tell(report{Is: "ready"})
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			h.wrong("%v", err)
			continue
		}
		if h.obey(o) {
			return 0
		}
	}
	return 0
}

func (h *host) open() (err error) {
	if h.engine, err = netasync.NewEngine(netasync.EngineOptions{Loops: 1}); err != nil {
		return err
	}
	h.node, err = again(func() (*cluster.Node, error) {
		return cluster.Start(cluster.Options{
			Engine: h.engine, Name: h.Name, Listen: h.Host + routePort, Peers: h.Peers, Secret: secret,
		})
	})
	if err != nil {
		return err
	}
	h.ctx, h.hush = context.WithCancel(context.Background())
	go h.watch()
	_, err = again(func() (*netasync.Listener, error) {
		return h.node.Listen(h.Host+clientPort, netasync.ListenOptions{
			Resume: true, HeartbeatPeriod: h.Period, HeartbeatTimeout: 4 * h.Period, AcceptBuffer: 1 << 20, MaxPending: 1 << 14,
			WriteBuffer: netasync.Fixed(1024), Inline: true, OnEvent: h.event,
		})
	})
	return err
}

// watch tells who comes and goes.
func (h *host) watch() {
	for p := range h.node.Watch(context.Background(), room) {
		h.tell(report{Is: "member", Text: p.Kind.String(), Node: p.Node, Name: p.Name, Session: p.Session, Client: h.Name})
	}
}

// obey does what it is told, and reports whether that was to end.
func (h *host) obey(o order) (end bool) {
	switch o.Do {
	case "send":
		h.senders.Go(func() { h.send(h.ctx, o.Name, o.Every) })
	case "stream":
		h.senders.Go(func() { h.stream(h.ctx, o.Name, o.Every) })
	case "once":
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), o.Every)
			defer cancel()
			err := h.node.Send(ctx, o.Name, []byte("O"))
			h.tell(report{Is: "once", Outcome: outcome(err)})
		}()
	case "hush":
		h.hush()
		h.senders.Wait()
		h.ctx, h.hush = context.WithCancel(context.Background())
		h.tell(report{Is: "hushed"})
	case "members":
		r := report{Is: "members"}
		for m := range h.node.Members(room) {
			r.Found = append(r.Found, fmt.Sprintf("%s@%s/%d", m.Name, m.Node, m.Session))
		}
		h.tell(r)
	case "nodes":
		r := report{Is: "nodes"}
		for _, n := range h.node.Nodes() {
			r.Found = append(r.Found, n.Name)
		}
		h.tell(r)
	case "shutdown":
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		h.hush()
		h.senders.Wait()
		begin := time.Now()
		err := h.node.Shutdown(ctx)
		took := time.Since(begin)
		err = errors.Join(err, h.engine.Shutdown(ctx))
		h.tell(report{Is: "ending", Text: fmt.Sprintf("node.Shutdown took %v, all %v: %v", took, time.Since(begin), err)})
		h.tell(report{Is: "ended"})
		return true
	default:
		h.wrong("order %q", o.Do)
	}
	return false
}

// send sends numbered messages to a name, and tells what each Send has said.
func (h *host) send(ctx context.Context, name string, every time.Duration) {
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	for number := 1; ; number++ {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return
		}
		until, cancel := context.WithTimeout(context.Background(), patience)
		r := report{Is: "sent", Name: name, Number: number, Began: time.Now().UnixNano()}
		err := h.node.Send(until, name, fmt.Appendf(nil, "M %s %s %d", h.Name, name, number))
		cancel()
		r.Outcome = outcome(err)
		if err != nil {
			r.Text = err.Error()
		}
		h.tell(r)
	}
}

func outcome(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, cluster.ErrNoSession):
		return "none"
	case errors.Is(err, cluster.ErrQueueFull):
		return "full"
	case errors.Is(err, cluster.ErrUnknownOutcome):
		return "unknown"
	case errors.Is(err, context.DeadlineExceeded): // before Send began: the node was stopped
		return "none"
	}
	return "other"
}
