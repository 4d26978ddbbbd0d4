package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/netasync/netasync/examples/chat/internal/gateway"
)

// ready is what a node says first: the address of its chat server, and the one for other nodes.
const ready = "ready %s %s\n"

// startup bounds the start of a node; it takes a tenth of a second or two.
const startup = 30 * time.Second

// nodes are those of the cluster, each a process.
type nodes []*node

// node is a process of this program, with -node. It ends when its stdin does, so also when this process
// is killed.
type node struct {
	name string
	all  nodes

	switching sync.Mutex // one start or end at a time

	mu         sync.Mutex // guards all below
	up         bool
	chat, peer string // its addresses: of the chat server, and for other nodes
	cmd        *exec.Cmd
	stdin      io.Closer
	ended      chan struct{} // is closed at the end of the process
}

// startNodes starts nodes one after the other. With an error those that run are returned, too.
func startNodes(names ...string) (nodes, error) {
	all := make(nodes, len(names))
	for i, name := range names {
		all[i] = &node{name: name, all: all}
	}
	for _, n := range all {
		if err := n.turn(true); err != nil {
			return all, err
		}
	}
	return all, nil
}

// stop ends all nodes. They do it at once.
func (all nodes) stop() {
	var stopping sync.WaitGroup
	for _, n := range all {
		stopping.Go(n.stop)
	}
	stopping.Wait()
}

// servers are the nodes, as tabs see them.
func (all nodes) servers() (servers []gateway.Server) {
	for _, n := range all {
		servers = append(servers, gateway.Server{Name: n.name, Addr: n.Addr, Switch: n.turn})
	}
	return servers
}

// Addr returns the address of the chat server, or "" while the node is down.
func (n *node) Addr() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.up {
		return ""
	}
	return n.chat
}

// turn starts the node, or kills it as a crash does. It returns when that is done.
func (n *node) turn(on bool) error {
	n.switching.Lock()
	defer n.switching.Unlock()
	n.mu.Lock()
	up, cmd, ended := n.up, n.cmd, n.ended
	n.mu.Unlock()
	if up == on {
		return nil
	}
	if on {
		return n.start()
	}
	err := cmd.Process.Kill()
	<-ended
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	return err
}

// start starts the process, and waits until it is ready.
func (n *node) start() error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(program, "-node", n.name, "-peers", strings.Join(n.others(), ","))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err = cmd.Start(); err != nil {
		return err
	}
	late := time.AfterFunc(startup, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	var chat, peer string
	if _, err = fmt.Fscanf(bufio.NewReader(stdout), ready, &chat, &peer); err != nil {
		_ = cmd.Process.Kill()
		return fmt.Errorf("node %s does not start: %w", n.name, errors.Join(err, cmd.Wait()))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.up, n.chat, n.peer, n.cmd, n.stdin, n.ended = true, chat, peer, cmd, stdin, make(chan struct{})
	go n.wait(cmd, n.ended)
	return nil
}

// wait notes the end of the process, whoever has ended it. stop and turn wait for ended.
func (n *node) wait(cmd *exec.Cmd, ended chan struct{}) {
	_ = cmd.Wait()
	n.mu.Lock()
	n.up = false
	n.mu.Unlock()
	close(ended)
}

// others are the addresses of the nodes that run.
func (n *node) others() (addrs []string) {
	for _, other := range n.all {
		other.mu.Lock()
		if other.up {
			addrs = append(addrs, other.peer)
		}
		other.mu.Unlock()
	}
	return addrs
}

// stop ends the process gracefully, if it runs.
func (n *node) stop() {
	n.switching.Lock()
	defer n.switching.Unlock()
	n.mu.Lock()
	up, cmd, stdin, ended := n.up, n.cmd, n.stdin, n.ended
	n.mu.Unlock()
	if !up {
		return
	}
	_ = stdin.Close()
	late := time.AfterFunc(3*grace, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	<-ended
}
