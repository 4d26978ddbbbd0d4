package main

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// The same as under cuts, smaller, through the connections of -flaky, which are those of the system.
func TestCountingOnSockets(t *testing.T) {
	for _, resume := range []bool{false, true} {
		t.Run(fmt.Sprintf("resume=%t", resume), func(t *testing.T) { countOnSockets(t, resume) })
	}
}

func countOnSockets(t *testing.T, resume bool) {
	const mirrors, each = 3, 50
	ctx := testkit.Context(t)
	engine, err := netasync.NewEngine(netasync.EngineOptions{})
	require.NoError(t, err)
	defer func() { require.NoError(t, engine.Shutdown(ctx)) }()
	l, err := engine.Listen("127.0.0.1:0", netasync.ListenOptions{Resume: true})
	require.NoError(t, err)
	master := NewMaster()
	masters, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { master.Run(masters, l) })
	defer func() { stop(); running.Wait() }()

	link := &flaky{most: 3 << 10}
	want := make(map[string]int64)
	var all []*Mirror
	var workers sync.WaitGroup
	for i := range mirrors {
		m, err := NewMirror(engine, l.Addr().String(), MirrorOptions{Connect: netasync.ConnectOptions{
			Resume: resume, Dial: link.Dial, Backoff: netasync.Backoff{Initial: time.Millisecond},
		}})
		require.NoError(t, err)
		defer m.Close()
		want[host(i)] = each
		all = append(all, m)
		workers.Go(func() {
			for range each {
				if err := increment(ctx, m, host(i)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	workers.Wait()
	link.calm.Store(true)
	snapshots := 0
	for _, m := range all {
		testkit.Eventually(t, func() bool { return m.State().Number == mirrors*each }, "the last version")
		require.Equal(t, want, m.State().Values)
		snapshots += int(m.snapshots.Load())
	}
	t.Logf("%d cuts, %d snapshots", link.cuts.Load(), snapshots)
	require.NotZero(t, link.cuts.Load())
	if resume {
		require.Equal(t, mirrors, snapshots)
	} else {
		require.Greater(t, snapshots, mirrors)
	}
}

// lines are what a program has written so far.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// start runs the program, as from a command line, until end is called.
func start(t *testing.T, args ...string) (out, status *lines, end func()) {
	t.Helper()
	o, err := parseFlags(args)
	require.NoError(t, err)
	out, status = new(lines), new(lines)
	ctx, cancel := context.WithCancel(testkit.Context(t))
	result := make(chan error, 1)
	go func() { result <- run(ctx, o, out, status) }()
	end = sync.OnceFunc(func() { cancel(); assert.NoError(t, <-result) })
	t.Cleanup(end)
	return out, status, end
}

// The three terminals of the README: what the mirrors print is the same, and what they say that they have
// done is what the master has executed.
func TestProgram(t *testing.T) {
	_, status, endMaster := start(t, "master", "-addr", "127.0.0.1:0")
	addr := find(t, status, `listening (.+)\n`)[1]
	outA, statusA, endA := start(t, "mirror", "-name", "a", "-addr", addr, "-every", "1ms")
	outB, statusB, endB := start(t, "mirror", "-name", "b", "-addr", addr, "-every", "1ms", "-flaky", "-resume")
	find(t, statusB, `disconnected .+\n(?s:.*)connected epoch=\d+ resumed=true\n`)
	testkit.Eventually(t, func() bool {
		seen, same := make(map[string]bool), 0
		for line := range strings.Lines(outA.String()) {
			seen[line] = true
		}
		for line := range strings.Lines(outB.String()) {
			if seen[line] && strings.HasSuffix(line, "\n") {
				same++
			}
		}
		return same >= 5
	}, "five lines that both have")
	endA()
	endB()
	endMaster()
	of := make(map[string]string) // a version has one line, whoever prints it
	for line := range strings.Lines(outA.String() + outB.String()) {
		version, _, _ := strings.Cut(line, ":")
		if of[version] == "" {
			of[version] = line
		}
		require.Equal(t, of[version], line)
	}
	executed := number(t, find(t, status, `(\d+) commands executed`)[1])
	a := find(t, statusA, `a has counted (\d+) times, and does not know of (\d+)`)
	b := find(t, statusB, `b has counted (\d+) times, and does not know of (\d+)`)
	counted, lost := number(t, a[1])+number(t, b[1]), number(t, a[2])+number(t, b[2])
	require.GreaterOrEqual(t, executed, counted)
	require.LessOrEqual(t, executed, counted+lost)
}

// find waits for a program to say something.
func find(t *testing.T, l *lines, pattern string) (found []string) {
	t.Helper()
	testkit.Eventually(t, func() bool {
		found = regexp.MustCompile(pattern).FindStringSubmatch(l.String())
		return found != nil
	}, "%s", pattern)
	return found
}

func number(t *testing.T, text string) int {
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

// What is wrong on the command line is told in one line.
func TestCommandLine(t *testing.T) {
	for text, args := range map[string][]string{
		"want master or mirror":  {"-name", "a"},
		"want master or":         {"slave"},
		"\"b\": want flags only": {"mirror", "-name", "a", "b"},
		"a mirror needs one":     {"mirror"},
		"-every: -1s":            {"mirror", "-name", "a", "-every", "-1s"},
		"-flaky: only of":        {"master", "-flaky"},
		"not defined: -x":        {"master", "-x"},
	} {
		_, err := parseFlags(args)
		require.ErrorContains(t, err, text)
		require.NotContains(t, err.Error(), "\n")
	}
}
