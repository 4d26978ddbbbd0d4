package proof

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/netasync/netasync/internal/testkit"
)

var (
	length  = flag.Duration("length", 6*time.Second, "how long faults happen, in each test that is as long as is wanted")
	clients = flag.Int("clients", 200, "how many clients are there while the nodes are started anew")
	rounds  = flag.Int("rounds", 3, "how often a node is killed for figures")
	seed    = flag.Uint64("seed", 1, "of what happens when")
)

const (
	nodeVariable = "NETASYNC_PROOF_NODE" // makes the binary a node; its value is a part
	hubVariable  = "NETASYNC_PROOF_HUB"  // makes it the tests; its value is what namespaces' names begin with
	nodes        = 3
)

func TestMain(m *testing.M) {
	if text := os.Getenv(nodeVariable); text != "" {
		os.Exit(playNode(text))
	}
	if hub := os.Getenv(hubVariable); hub != "" {
		if err := wire(hub); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		testkit.Main(m)
	}
	if allowed() != nil {
		testkit.Main(m) // the tests are skipped
	}
	os.Exit(runInHub())
}

// allowed reports why there can be no namespaces.
func allowed() error {
	if os.Getuid() != 0 {
		return errors.New("making a network namespace needs root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		return errors.New("making a network namespace needs ip, of iproute2")
	}
	name := hubName() + "x"
	if err := ip("netns", "add", name); err != nil {
		return fmt.Errorf("no network namespaces here: %w", err)
	}
	defer func() { _ = ip("netns", "del", name) }()
	if err := ip("-n", name, "link", "add", "name", "b01", "type", "bridge"); err != nil {
		return fmt.Errorf("no bridges here: %w", err)
	}
	return nil
}

func hubName() string { return fmt.Sprintf("proof%d-", os.Getpid()) }

// hostName is that of a node's namespace.
func hostName(hub string, i int) string { return fmt.Sprint(hub, i) }

// runInHub makes the namespaces, runs the tests in one of them, and removes them, whatever becomes of
// the tests.
func runInHub() int {
	hub := hubName()
	for i := range nodes + 1 {
		name := hostName(hub, i)
		defer func() { _ = ip("netns", "del", name) }()
		if err := ip("netns", "add", name); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	runtime.LockOSThread() // the child is to end with this process, and Linux says: with this thread
	args := append([]string{"netns", "exec", hostName(hub, nodes), os.Args[0]}, os.Args[1:]...)
	cmd := exec.Command("ip", args...)
	cmd.Env = append(os.Environ(), hubVariable+"="+hub)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	// Signals are the tests' to end by, and this process waits for them.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
	err := cmd.Start()
	if err == nil {
		go func() {
			for s := range signals {
				_ = cmd.Process.Signal(s)
			}
		}()
		err = cmd.Wait()
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() > 0 {
		return exit.ExitCode()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func ip(args ...string) error { return ipBatch(strings.Join(args, " ")) }

// ipBatch runs ip once for many commands, a line each.
func ipBatch(lines ...string) error {
	cmd := exec.Command("ip", "-batch", "-")
	if len(lines) == 1 {
		cmd = exec.Command("ip", strings.Fields(lines[0])...)
	} else {
		cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ip %v: %w: %s", lines, err, out)
	}
	return nil
}
