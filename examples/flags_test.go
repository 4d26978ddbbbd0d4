package examples

import (
	"runtime"
	"strings"
	"testing"

	"github.com/netasync/netasync/internal/testkit"
)

func TestPortInUse(t *testing.T) {
	addr := testkit.Listen(t).Addr().String()
	for name, flag := range map[string]string{"echo-server": addr, "embed": "tcp://" + addr, "telemetry": addr} {
		end := start(t, name, "-addr", flag).ends(1)
		if !strings.HasPrefix(end.Stderr, name+": ") || !strings.Contains(end.Stderr, "in use") {
			t.Errorf("stderr is %q", end.Stderr)
		}
		if len(end.Rest) > 0 {
			t.Errorf("stdout is %q", end.Rest)
		}
	}
}

func TestBadFlags(t *testing.T) {
	tests := map[string][]string{
		"echo-server": {
			"-addr nonsense", "-api quickly", "-delay -1s", "-heartbeat-period 0", "-heartbeat-timeout 9s", "-max-payload -1",
			"-max-payload 2147483648", "-read-cap -1", "-read-cap many", "-loops -1", "-tls-cert nowhere", "-tls-client-ca nowhere", "-nonsense", "word",
		},
		"echo-client": {
			"-n -1", "-size -1", "-window 0", "-interval -1s", "-retry -1s", "-heartbeat-period -1s", "-heartbeat-timeout 9s",
			"-addr nonsense", "-addr 127.0.0.1:1,nonsense", "-tls-ca nowhere", "-tls-cert nowhere", "-nonsense", "word",
		},
		"embed": {"-nonsense", "-addr", "word", "-max-sessions 0", "-max-sessions -1"},
		"telemetry": {
			"-addr nonsense", "-sensors 0", "-sensors many", "-every 0s", "-every -1s", "-buffer 0", "-restart -1s", "-down -1s", "-for -1s",
			"-for 5", "-nonsense", "word",
		},
	}
	for name, lines := range tests {
		for _, line := range lines {
			end := start(t, name, strings.Fields(line)...).ends(2)
			flag, _, _ := strings.Cut(line, " ")
			if !strings.HasPrefix(end.Stderr, name+": ") || !strings.Contains(end.Stderr, flag) {
				t.Errorf("%s %s: stderr is %q", name, line, end.Stderr)
			}
		}
	}
}

// A program that could run out of descriptors does not start.
func TestDescriptorsAreChecked(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no such limit")
	}
	for name, args := range map[string][2]string{
		"embed":     {"tcp://127.0.0.1:0", "-max-sessions"},
		"telemetry": {"127.0.0.1:0", "-sensors"},
	} {
		addr, flag := args[0], args[1]
		end := start(t, name, "-addr", addr, flag, "2147483647").ends(1)
		if !strings.Contains(end.Stderr, flag) || !strings.Contains(end.Stderr, "ulimit -n") {
			t.Errorf("%s: stderr is %q", name, end.Stderr)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, name := range []string{"echo-server", "echo-client", "embed", "telemetry"} {
		end := start(t, name, "-h").ends(0)
		if !strings.Contains(strings.Join(end.Rest, "\n"), "-addr") {
			t.Errorf("%s: stdout is %q", name, end.Rest)
		}
	}
}
