package code

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Commands on the pages that run a program of this repository, or a target of make, name one that exists.
func TestCommands(t *testing.T) {
	targets := targets(t)
	for name, text := range pages(t) {
		for _, wrong := range wrongCommands(text, targets) {
			t.Errorf("%s: %s", name, wrong)
		}
	}
}

var (
	shellFence = regexp.MustCompile("(?ms)^[ \t]*```sh\n(.*?)^[ \t]*```")
	indented   = regexp.MustCompile(`(?m)^    .*\n`)
	goRun      = regexp.MustCompile(`\bgo run (\./\S+)`)
	makeTarget = regexp.MustCompile(`(?m)^\s*(?:\$ )?make ([a-z0-9-]+)`)
	target     = regexp.MustCompile(`(?m)^([a-z0-9-]+):`)
)

// targets returns those of the Makefile.
func targets(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "Makefile"))
	require.NoError(t, err)
	all := map[string]bool{}
	for _, found := range target.FindAllStringSubmatch(string(text), -1) {
		all[found[1]] = true
	}
	return all
}

// wrongCommands says which commands of a page cannot be given.
func wrongCommands(text string, targets map[string]bool) (wrong []string) {
	shell := strings.Join(indented.FindAllString(text, -1), "")
	for _, found := range shellFence.FindAllStringSubmatch(text, -1) {
		shell += found[1]
	}
	for _, found := range goRun.FindAllStringSubmatch(shell, -1) {
		programs, _ := filepath.Glob(filepath.Join(root, filepath.FromSlash(found[1]), "main.go"))
		if len(programs) == 0 {
			wrong = append(wrong, fmt.Sprintf("go run %s: there is no such program", found[1]))
		}
	}
	for _, found := range makeTarget.FindAllStringSubmatch(shell, -1) {
		if !targets[found[1]] {
			wrong = append(wrong, fmt.Sprintf("make %s: there is no such target", found[1]))
		}
	}
	return wrong
}

// The checks find what they are for.
func TestWrongCommands(t *testing.T) {
	for text, want := range map[string][]string{
		"    make here # and there\n":                nil,
		"    make there\n":                           {"make there: there is no such target"},
		"we make there be light\n":                   nil,
		"```sh\n$ go run ./examples/demo -h\n```\n":  nil,
		"```sh\ngo run ./examples/damo\n```\n":       {"go run ./examples/damo: there is no such program"},
		"    go run ./examples/dimo | make there \n": {"go run ./examples/dimo: there is no such program"},
	} {
		require.Equal(t, want, wrongCommands(text, map[string]bool{"here": true}), text)
	}
}
