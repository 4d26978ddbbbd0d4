package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	rowOf     = regexp.MustCompile(`^\| \[([\w-]+)\]\(([\w-]+)\) \|`)
	commandOf = regexp.MustCompile(`go run (\./\S+?)[ ` + "`" + `]`)
)

// Each example has a row in README.md, and each row has commands that run a program, its own among them.
func TestReadmeNamesEveryExample(t *testing.T) {
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	var rows, packages []string
	for line := range strings.Lines(string(text)) {
		row := rowOf.FindStringSubmatch(line)
		if row == nil {
			continue
		}
		require.Equal(t, row[1], row[2], "the link of a row")
		rows = append(rows, row[1])
		var commands []string
		for _, command := range commandOf.FindAllStringSubmatch(line, -1) {
			commands = append(commands, command[1])
		}
		require.Contains(t, commands, "./examples/"+row[1], "the commands of a row")
		packages = append(packages, commands...)
	}
	mains, err := filepath.Glob("*/main.go")
	require.NoError(t, err)
	require.NotEmpty(t, mains)
	for _, file := range mains {
		require.Contains(t, rows, filepath.Dir(file), "README.md has no row of an example")
	}
	slices.Sort(packages)
	for _, name := range slices.Compact(packages) {
		// -export compiles, and needs no linker.
		list := exec.Command("go", append(append([]string{"list"}, buildFlags...), "-export", "-f", "{{.Name}}", name)...)
		list.Dir = ".."
		said, err := list.CombinedOutput()
		assert.NoError(t, err, "README.md says go run %s:\n%s", name, said)
		assert.Equal(t, "main\n", string(said), name)
	}
}
