//go:build unix

package netasync_test

import (
	"net"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// activationEnv is set where this program was started with a socket, as systemd does it: to the
// socket's address.
const activationEnv = "NETASYNC_TEST_ACTIVATION"

// The example of socket activation takes what systemd gives it: here this program starts itself so,
// through a shell, as LISTEN_PID is that of the process itself.
func TestSocketActivation(t *testing.T) {
	if want := os.Getenv(activationEnv); want != "" {
		ln, err := activated()
		require.NoError(t, err)
		require.Equal(t, want, ln.Addr().String())
		return
	}
	_, err := activated()
	require.ErrorIs(t, err, errNotActivated)

	ln := testkit.Listen(t).(*net.TCPListener)
	file, err := ln.File()
	require.NoError(t, err)
	defer file.Close()
	child := exec.Command("sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" -test.v -test.run '^(TestSocketActivation)$'`, os.Args[0])
	child.ExtraFiles = []*os.File{file} // the first is descriptor 3
	child.Env = append(os.Environ(), activationEnv+"="+ln.Addr().String())
	out, err := child.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: TestSocketActivation")
}
