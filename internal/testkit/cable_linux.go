package testkit

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// Cable leads to another host, which is a network namespace. Only root may make one.
type Cable struct {
	Other string // the address of the other host

	ns, theirs string
}

func ip(args ...string) error {
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %v: %w: %s", args, err, out)
	}
	return nil
}

// LayCable makes the other host, and the cable. Both end with the test, which is skipped where that is
// not allowed.
func LayCable(t testing.TB) *Cable {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("making a network namespace needs root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("making a network namespace needs ip, of iproute2")
	}
	id := os.Getpid() % (256 << 6)
	c := &Cable{ns: fmt.Sprintf("testkit%d", id), theirs: fmt.Sprintf("tk%db", id)}
	if err := ip("netns", "add", c.ns); err != nil {
		t.Skip("no network namespaces here: ", err)
	}
	t.Cleanup(func() { _ = ip("netns", "del", c.ns) })
	ours := fmt.Sprintf("tk%da", id)
	require.NoError(t, ip("link", "add", ours, "type", "veth", "peer", "name", c.theirs, "netns", c.ns))
	t.Cleanup(func() { _ = ip("link", "del", ours) })
	// 198.18.0.0/15 is set aside for tests between hosts. Each process has a network of its own, in
	// case one was killed and has left its behind; package engine's tests have the other half.
	network := fmt.Sprintf("198.19.%d.", id>>6&255)
	c.Other = fmt.Sprint(network, id&63<<2+2)
	require.NoError(t, ip("addr", "add", fmt.Sprint(network, id&63<<2+1, "/30"), "dev", ours))
	require.NoError(t, ip("link", "set", ours, "up"))
	require.NoError(t, ip("-n", c.ns, "addr", "add", c.Other+"/30", "dev", c.theirs))
	require.NoError(t, ip("-n", c.ns, "link", "set", c.theirs, "up"))
	return c
}

// Command runs the test's binary on the other host.
func (c *Cable) Command() *exec.Cmd {
	return exec.Command("ip", "netns", "exec", c.ns, os.Args[0])
}

// Pull pulls the cable.
func (c *Cable) Pull(t testing.TB) {
	t.Helper()
	require.NoError(t, ip("-n", c.ns, "link", "set", c.theirs, "down"))
}

// Plug plugs it in again.
func (c *Cable) Plug(t testing.TB) {
	t.Helper()
	require.NoError(t, ip("-n", c.ns, "link", "set", c.theirs, "up"))
}
