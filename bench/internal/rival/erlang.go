package rival

import (
	_ "embed"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

//go:embed echo.erl
var erlangSource []byte

// ErlangRelease returns the release of the Erlang that is installed, or an error that says why there is none.
func ErlangRelease() (string, error) {
	out, err := exec.Command("erl", "-noshell", "-eval",
		`io:put_chars(erlang:system_info(otp_release)), halt().`).Output()
	if err != nil {
		return "", fmt.Errorf("erlang: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// CompileErlang compiles the server into dir.
func CompileErlang(dir string) error {
	source := filepath.Join(dir, "echo.erl")
	if err := os.WriteFile(source, erlangSource, 0o600); err != nil {
		return err
	}
	if out, err := exec.Command("erlc", "-o", dir, source).CombinedOutput(); err != nil {
		return fmt.Errorf("erlc: %w: %s", err, out)
	}
	return nil
}

// ExecErlang replaces this process by Erlang running the server compiled into dir. It returns only if that fails.
func ExecErlang(dir string, o Options) error {
	host, port, err := net.SplitHostPort(o.Addr)
	if err != nil {
		return err
	}
	erl, err := exec.LookPath("erl")
	if err != nil {
		return err
	}
	args := []string{"erl", "-noshell", "+K", "true", "+P", "200000", "-pa", dir, "-run", "echo", "start", host, port}
	return unix.Exec(erl, args, os.Environ())
}
