package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// otherDir is where the chat of several nodes is, a module of its own, for what a cluster stands on.
var otherDir = filepath.Join("examples", "chat", "cluster")

// become has Go run the other program in the place of this one, so that signals reach it. It returns if
// that cannot be: in another directory than the root of the repository, and on Windows.
func become(args []string) error {
	command := append([]string{"go", "-C", otherDir, "run", "."}, args...)
	_, err := os.Stat(filepath.Join(otherDir, "go.mod"))
	if err == nil {
		var path string
		if path, err = exec.LookPath(command[0]); err == nil {
			err = syscall.Exec(path, command, os.Environ())
		}
	}
	return fmt.Errorf("flag -cluster: say %s in the root of the repository: %w", strings.Join(command, " "), err)
}
