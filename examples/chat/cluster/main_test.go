package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// TestMain is the program itself where that starts its nodes, and for those tests that start it.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "-node" || os.Args[1] == "-web") {
		main()
		return
	}
	testkit.Main(m)
}

// start starts three nodes, which end with the test, and an engine for those who connect.
func start(t *testing.T) (nodes, *netasync.Engine) {
	t.Helper()
	all, err := startNodes("a", "b", "c")
	t.Cleanup(all.stop)
	require.NoError(t, err)
	engine, err := netasync.NewEngine(netasync.EngineOptions{Loops: 1})
	require.NoError(t, err)
	t.Cleanup(func() { _ = engine.Shutdown(testkit.Context(t)) })
	return all, engine
}

// join has somebody join at a node, until the test ends.
func join(t *testing.T, all nodes, engine *netasync.Engine, at, name string) *talker {
	t.Helper()
	talker, err := enter(engine, all.servers(), at, name)
	require.NoError(t, err)
	t.Cleanup(talker.leave)
	return talker
}

// sees waits until somebody is told that these are there.
func sees(t *testing.T, who *talker, want ...string) {
	t.Helper()
	err := who.wait(t.Context(), func() bool { return slices.Equal(who.members, want) })
	who.mu.Lock()
	defer who.mu.Unlock()
	require.NoError(t, err, "%s sees %v, want %v", who.name, who.members, want)
}

// A client that is moved all the time misses nothing, and says nothing twice. The program says so.
func TestMovedWhileItTalks(t *testing.T) {
	all, engine := start(t)
	var out bytes.Buffer
	o := options{out: &out, moves: 24, lines: 600, every: 150 * time.Millisecond}
	require.NoError(t, talkAndMove(testkit.Context(t), engine, all, o))
	said := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, said, 1+o.moves+1)
	for n, line := range said[1 : 1+o.moves] {
		want := fmt.Sprintf("move %2d: connection %d, to node %s, after ", n+1, n+2, all[(n+1)%3].name)
		require.True(t, strings.HasPrefix(line, want), line)
		require.True(t, strings.HasSuffix(line, ": the session goes on at node a"), line)
	}
	require.Equal(t, "600 messages each way, 24 moves: none lost, none twice, in order", said[len(said)-1])
}

// All nodes tell their members the same of who is there, also when a node dies and is started again.
func TestMembersOnAllNodes(t *testing.T) {
	all, engine := start(t)
	ada := join(t, all, engine, "a", "Ada")
	sees(t, ada, "Ada@a")
	bob := join(t, all, engine, "b", "Bob")
	sees(t, ada, "Ada@a", "Bob@b")
	cid := join(t, all, engine, "c", "Ada") // as there is one elsewhere
	for _, who := range []*talker{ada, bob, cid} {
		sees(t, who, "Ada@a", "Ada (2)@c", "Bob@b")
	}
	bob.cable.Cut(true) // or he would be back at another node
	began := time.Now()
	require.NoError(t, all[1].turn(false))
	require.Empty(t, all[1].Addr())
	for _, who := range []*talker{ada, cid} {
		sees(t, who, "Ada@a", "Ada (2)@c")
	}
	require.Less(t, time.Since(began), 8*time.Second)

	require.NoError(t, all[1].turn(true))
	bob.cable.Cut(false)
	require.NoError(t, bob.cable.Move("b"))
	bob.session.RetryNow()
	for _, who := range []*talker{ada, bob, cid} {
		sees(t, who, "Ada@a", "Ada (2)@c", "Bob@b")
	}
	require.False(t, bob.link(1).Resumed)
	for n, who := range []*talker{ada, bob, cid} { // what is said there goes everywhere again
		require.NoError(t, who.say(t.Context(), farewell))
		for _, other := range []*talker{ada, bob, cid} {
			require.NoError(t, other.wait(t.Context(), func() bool { return other.parted == n+1 }))
		}
	}
	cid.leave()
	sees(t, bob, "Ada@a", "Bob@b")
}

// A session whose node is killed is followed by a new one at another node.
func TestKilledNode(t *testing.T) {
	all, engine := start(t)
	ada, bob := join(t, all, engine, "a", "Ada"), join(t, all, engine, "c", "Bob")
	sees(t, bob, "Ada@a", "Bob@c")
	require.NoError(t, all[0].turn(false))
	sees(t, bob, "Ada (2)@b", "Bob@c") // her first name was free only when her node was known to be dead
	sees(t, ada, "Ada (2)@b", "Bob@c")
	require.False(t, ada.link(1).Resumed)
	require.NoError(t, ada.say(t.Context(), farewell))
	require.NoError(t, bob.wait(t.Context(), func() bool { return bob.parted == 1 }))
}

// The nodes end with the program, be it that it is killed.
func TestNodesEndWithTheProgram(t *testing.T) {
	for name, signal := range map[string]os.Signal{"killed": os.Kill, "interrupted": os.Interrupt} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-web", "127.0.0.1:0")
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			defer func() { _ = cmd.Process.Kill() }()
			var addrs []string
			lines := bufio.NewScanner(out)
			for lines.Scan() && !strings.HasPrefix(lines.Text(), "open ") {
				addrs = append(addrs, strings.Fields(lines.Text())[2])
			}
			require.Len(t, addrs, 3)
			require.NoError(t, cmd.Process.Signal(signal))
			if err = cmd.Wait(); signal == os.Interrupt {
				require.NoError(t, err)
			}
			for _, addr := range addrs {
				require.Eventually(t, func() bool {
					conn, err := net.Dial("tcp", addr)
					if err == nil {
						_ = conn.Close()
					}
					return err != nil
				}, patience, 10*time.Millisecond, "a node lives on")
			}
		})
	}
}

func TestVerdict(t *testing.T) {
	for _, c := range []struct{ heard, err string }{
		{"1 2 3", ""},
		{"1 3", "2 of 3 lines came; 1 lost, 0 more than once, 1 not in their place"},
		{"1 2 2 3", "4 of 3 lines came; 0 lost, 1 more than once, 1 not in their place"},
		{"2 1 3", "3 of 3 lines came; 0 lost, 0 more than once, 2 not in their place"},
		{"1 2 3 4", "4 of 3 lines came; 0 lost, 0 more than once, 0 not in their place"},
		{"", "0 of 3 lines came; 3 lost, 0 more than once, 0 not in their place"},
	} {
		err := verdict(strings.Fields(c.heard), 3)
		if c.err == "" {
			require.NoError(t, err)
		} else {
			require.EqualError(t, err, c.err)
		}
	}
}

func TestFlags(t *testing.T) {
	o, err := parse([]string{"-node", "b", "-peers", "h:1,h:2"})
	require.NoError(t, err)
	require.Equal(t, []string{"h:1", "h:2"}, o.peers)
	for line, want := range map[string]string{
		"more": `unexpected argument "more"`, "-moves 0": "-moves", "-lines 11": "-lines", "-every 0": "-every",
	} {
		_, err = parse(strings.Fields(line))
		require.ErrorContains(t, err, want)
	}
}

func TestRunSaysWhatIsTaken(t *testing.T) {
	err := run(context.Background(), options{web: "127.0.0.1:70000", out: new(bytes.Buffer)})
	require.ErrorContains(t, err, "70000")
}
