package cluster

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// leadBy makes a server the leader of the stream.
func (p *place) leadBy(t testing.TB, server string) { p.mail.stream.leadBy(t, server) }

func (j *jetStream) leadBy(t testing.TB, server string) {
	eventually(t, func() bool {
		var info struct {
			Cluster struct{ Leader string }
		}
		_ = j.ask(within(t), "STREAM.INFO."+j.name, nil, &info)
		if info.Cluster.Leader == server {
			return true
		}
		request := json.RawMessage(fmt.Sprintf(`{"placement":{"preferred":%q}}`, server))
		_ = j.ask(within(t), "STREAM.LEADER.STEPDOWN."+j.name, request, nil)
		return false
	}, "it leads")
}

// child is a node in a process of its own.
type child struct {
	cmd  *exec.Cmd
	name string // of its server
}

func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

const childArgs = "NETASYNC_TEST_MAIL_NODE"

// startChild starts a node at the last address.
func startChild(t testing.TB, addrs []string) *child { return startChildOf(t, "TestMailChild", addrs) }

// startChildOf has a test be the node.
func startChildOf(t testing.TB, test string, addrs []string) *child {
	t.Helper()
	c := &child{cmd: exec.Command(os.Args[0], "-test.run=^"+test+"$")}
	dir := t.TempDir()
	c.cmd.Env = append(os.Environ(), childArgs+"="+strings.Join(append([]string{dir}, addrs...), "\n"))
	_, err := c.cmd.StdinPipe() // it ends with us
	require.NoError(t, err)
	require.NoError(t, c.cmd.Start())
	t.Cleanup(c.kill)
	eventually(t, func() bool {
		data, err := os.ReadFile(dir + "/" + ownerFile)
		var owner dirOwner
		if err == nil {
			require.NoError(t, json.Unmarshal(data, &owner))
		}
		c.name = owner.Server
		return c.name != ""
	}, "it has begun")
	return c
}

// TestMailChild is no test, but the node of startChild.
func TestMailChild(t *testing.T) {
	args := strings.Split(os.Getenv(childArgs), "\n")
	if len(args) < 2 {
		t.Skip("for another test")
	}
	addrs := args[1:]
	mailNode(t, Options{
		Dir: args[0], Listen: addrs[len(addrs)-1], Peers: addrs, Relay: "127.0.0.1:0", Secret: secret,
	})
	_, _ = io.Copy(io.Discard, os.Stdin)
}
