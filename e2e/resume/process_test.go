package resume

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// partVariable is the environment variable that makes the test's binary one of the processes that are
// killed and stopped. Its value is a part.
const partVariable = "NETASYNC_RESUME_PART"

// part is what a process is told. It says "ready" with its address when it works, "wrong" and what
// was, and answers each line of its standard input; it ends with that.
type part struct {
	Play   string // proxy, server, ledger, client
	Addr   string // to listen at, or to dial
	Target string // a proxy's
	File   string // a ledger's: the numbers of the messages that came, four bytes each
}

// tell writes a line, by one write, so that none is torn when the process is killed.
func tell(format string, args ...any) { fmt.Println(fmt.Sprintf(format, args...)) }

// play is what a process does.
func play(text string) int {
	var p part
	err := json.Unmarshal([]byte(text), &p)
	if err == nil {
		err = map[string]func(part) error{"proxy": playProxy, "server": playServer, "ledger": playLedger, "client": playClient}[p.Play](p)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// bindAgain listens at an address that a process that was killed may hold for a moment.
func bindAgain[L any](listen func() (L, error)) (ln L, err error) {
	for deadline := time.Now().Add(testkit.Patience); ; time.Sleep(5 * time.Millisecond) {
		if ln, err = listen(); err == nil || time.Now().After(deadline) {
			return ln, err
		}
	}
}

// playProxy forwards connections until standard input ends.
func playProxy(p part) error {
	ln, err := bindAgain(func() (net.Listener, error) { return net.Listen("tcp", p.Addr) })
	if err != nil {
		return err
	}
	tell("ready %s", ln.Addr())
	go func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", p.Target)
			if err != nil {
				_ = near.Close()
				continue
			}
			for _, c := range [][2]net.Conn{{near, far}, {far, near}} {
				go func() { _, _ = io.Copy(c[0], c[1]); hangUp(c[0]) }()
			}
		}
	}()
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// serveOne has the sessions of a listener tell an end their events.
func serveOne(p part, e *end) (*netasync.Engine, error) {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		return nil, err
	}
	ln, err := bindAgain(func() (*netasync.Listener, error) {
		return engine.Listen(p.Addr, netasync.ListenOptions{
			Resume: true, ResumeOnly: true, HeartbeatPeriod: period, HeartbeatTimeout: timeout, HandshakeTimeout: opening,
			Inline: true, OnEvent: e.event,
		})
	})
	if err == nil {
		tell("ready %s", ln.Addr())
	}
	return engine, err
}

func tellWrong(format string, args ...any) { tell("wrong "+format, args...) }

// playServer talks with one session. "hush" ends its talking; "how" is answered by how many messages
// it has got and said, how many are acknowledged, and lost.
func playServer(p part) error {
	e := newEnd("server", byInline, tellWrong)
	engine, err := serveOne(p, e)
	if err != nil {
		return err
	}
	ctx, hush := context.WithCancel(context.Background())
	defer hush()
	var talker sync.WaitGroup
	s := <-e.session
	talker.Go(func() { e.talk(ctx, s, 2) })
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if hush(); lines.Text() == "how" {
			talker.Wait()
			st := s.Stats()
			tell("is %d %d %d %d", e.got.Load(), e.said.Load(), st.Acked, st.Lost)
		}
	}
	return engine.Shutdown(context.Background())
}

// playLedger writes down what comes, and says numbered messages to each session.
func playLedger(p part) error {
	f, err := os.OpenFile(p.File, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	e := newEnd("ledger", byInline, tellWrong)
	e.restart = true
	e.seen = func(ev netasync.Event) {
		if ev.Kind == netasync.Connected && ev.Epoch == 1 {
			go e.talk(context.Background(), <-e.session, 3)
		}
	}
	e.raw = func(m []byte) {
		if _, err := testkit.Number(m); err != nil {
			tellWrong("%v", err)
		}
		_, _ = f.Write(m[:4])
	}
	if _, err = serveOne(p, e); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// playClient talks until it is killed.
func playClient(p part) error {
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	if err != nil {
		return err
	}
	e := newEnd("client", byInline, tellWrong)
	s, err := engine.Connect(p.Addr, netasync.ConnectOptions{Resume: true, Inline: true, OnEvent: e.event})
	if err != nil {
		return err
	}
	tell("ready %s", p.Addr)
	e.talk(context.Background(), s, 1)
	return nil
}

// process is a process that plays a part, as the test sees it.
type process struct {
	part
	wrong func(string, ...any)
	cmd   *exec.Cmd
	stdin io.WriteCloser
	said  chan string // its lines, but those that say what was wrong
	by    func() *exec.Cmd
	errs  bytes.Buffer
}

// start starts a process. It ends with the test.
func start(t testing.TB, p part, wrong func(string, ...any)) *process {
	t.Helper()
	return startBy(t, p, wrong, func() *exec.Cmd { return exec.Command(os.Args[0]) })
}

func startBy(t testing.TB, p part, wrong func(string, ...any), by func() *exec.Cmd) *process {
	t.Helper()
	x := &process{part: p, wrong: wrong, by: by}
	x.again(t)
	t.Cleanup(x.kill)
	return x
}

// again starts the process, at the address of the one before.
func (x *process) again(t testing.TB) {
	t.Helper()
	text, err := json.Marshal(x.part)
	require.NoError(t, err)
	x.cmd = x.by()
	x.cmd.Env = append(os.Environ(), partVariable+"="+string(text))
	x.cmd.Stderr = &x.errs
	stdout, err := x.cmd.StdoutPipe()
	require.NoError(t, err)
	x.stdin, err = x.cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, x.cmd.Start())
	x.said = make(chan string, 10)
	go func(said chan<- string) {
		defer close(said)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			if word, rest, _ := strings.Cut(lines.Text(), " "); word == "wrong" {
				x.wrong("process: %s", rest)
			} else {
				said <- rest
			}
		}
	}(x.said)
	x.Addr = x.hears(t)
}

// hears returns what it says next.
func (x *process) hears(t testing.TB) string {
	t.Helper()
	return testkit.Take(t, x.said)
}

// kill ends the process at once.
func (x *process) kill() {
	_ = x.cmd.Process.Kill()
	for range x.said {
	}
	_ = x.cmd.Wait()
	_ = x.stdin.Close()
}

// ledger returns the numbers that a ledger has.
func ledger(t testing.TB, file string) (numbers []int) {
	t.Helper()
	all, err := os.ReadFile(file)
	require.NoError(t, err)
	for ; len(all) >= 4; all = all[4:] {
		numbers = append(numbers, int(binary.BigEndian.Uint32(all)))
	}
	return numbers
}
