package code

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/docs/code/internal/region"
)

var write = flag.Bool("write", false, "write the regions into the pages")

// root is the directory of the repository, and globs are the pages in it that show code.
const root = "../.."

var globs = []string{
	"README.md", "docs/*.md", "examples/README.md", "examples/*/README.md", "prom/README.md", "otelmetrics/README.md",
}

// pages returns the text of each page, by its path in the repository.
func pages(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, glob := range globs {
		names, err := filepath.Glob(filepath.Join(root, glob))
		require.NoError(t, err)
		require.NotEmpty(t, names, "no page is %s", glob)
		for _, name := range names {
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			page, err := filepath.Rel(root, name)
			require.NoError(t, err)
			texts[filepath.ToSlash(page)] = strings.ReplaceAll(string(text), "\r\n", "\n")
		}
	}
	return texts
}

// Each block of Go is the region that it names, and each region is shown.
func TestBlocks(t *testing.T) {
	all, err := region.All(".")
	require.NoError(t, err)
	regions := map[string]string{}
	for _, r := range all {
		regions[r.ID()] = r.Text
	}
	shown := map[string]bool{}
	for name, text := range pages(t) {
		blocks := goBlocks(text)
		for _, b := range blocks {
			shown[b.region] = true
		}
		if *write {
			rewrite(t, name, text, blocks, regions)
			continue
		}
		for _, wrong := range wrongBlocks(blocks, regions) {
			t.Errorf("%s:%s", name, wrong)
		}
	}
	for id := range regions {
		if !shown[id] {
			t.Errorf("docs/code/%s is on no page", id)
		}
	}
}

// A block is a fence of Go code on a page.
type block struct {
	line       int    // of its first fence
	region     string // what the comment in front of it names, "" without one
	begin, end int    // where its code is in the page
	text       string
}

// before is a comment that names the region of the block behind it.
var before = regexp.MustCompile(`<!-- code: (\S+#\S+) -->\n$`)

// fences finds the beginning and the end of blocks, indented ones, too.
var fences = regexp.MustCompile("(?m)^[ \t]*```(.*)\n")

// goBlocks returns the blocks of Go code of a page.
func goBlocks(text string) []block {
	var blocks []block
	at := fences.FindAllStringSubmatchIndex(text, -1)
	for ; len(at) >= 2; at = at[2:] {
		if language, _, _ := strings.Cut(text[at[0][2]:at[0][3]], " "); strings.TrimSpace(language) != "go" {
			continue
		}
		b := block{line: 1 + strings.Count(text[:at[0][0]], "\n"), begin: at[0][1], end: at[1][0]}
		b.text = text[b.begin:b.end]
		if found := before.FindStringSubmatch(text[:at[0][0]]); found != nil {
			b.region = found[1]
		}
		blocks = append(blocks, b)
	}
	return blocks
}

// wrongBlocks says what is wrong with blocks of a page.
func wrongBlocks(blocks []block, regions map[string]string) (wrong []string) {
	for _, b := range blocks {
		text, ok := regions[b.region]
		switch {
		case b.region == "":
			wrong = append(wrong, fmt.Sprintf("%d: the block has no comment in front of it that names a region, see docs/code/doc.go", b.line))
		case !ok:
			wrong = append(wrong, fmt.Sprintf("%d: there is no region docs/code/%s", b.line, b.region))
		case b.text != text:
			wrong = append(wrong, fmt.Sprintf("%d: the block is not docs/code/%s; mend it by: cd docs/code && go test . -write", b.line, b.region))
		}
	}
	return wrong
}

// rewrite writes a page anew if one of its blocks differs from its region.
func rewrite(t *testing.T, name, text string, blocks []block, regions map[string]string) {
	t.Helper()
	mended, end := "", 0
	for _, b := range blocks {
		code, ok := regions[b.region]
		if !ok {
			code = b.text
			t.Errorf("%s:%d: there is no region %q", name, b.line, b.region)
		}
		mended += text[end:b.begin] + code
		end = b.end
	}
	mended += text[end:]
	if mended != text {
		t.Logf("%s is written", name)
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(mended), 0o644))
	}
}

// Code that no test runs proves nothing: each directory with a region has a test. Whether that runs the
// region, make docs finds by its coverage.
func TestDirectories(t *testing.T) {
	all, err := region.All(".")
	require.NoError(t, err)
	for _, r := range all {
		tests, err := filepath.Glob(filepath.Join(filepath.FromSlash(r.Dir()), "*_test.go"))
		require.NoError(t, err)
		require.NotEmpty(t, tests, "docs/code/%s has regions and no test", r.Dir())
	}
}

// The checks find what they are for.
func TestWrongBlocks(t *testing.T) {
	regions := map[string]string{"a/b.go#c": "code\n"}
	for text, want := range map[string]string{
		"<!-- code: a/b.go#c -->\n```go\ncode\n```\n":               "",
		"```sh\ncode\n```\n":                                        "",
		"```sh\n```\n\n<!-- code: a/b.go#c -->\n```go\ncode\n```\n": "",
		"```go\ncode\n```\n":                                        "1: the block has no comment",
		"<!-- code: a/b.go#c -->\n\n```go\ncode\n```\n":             "3: the block has no comment",
		"text\n<!-- code: a/b.go#d -->\n```go\ncode\n```\n":         "3: there is no region docs/code/a/b.go#d",
		"<!-- code: a/b.go#c -->\n```go\ncode \n```\n":              "2: the block is not docs/code/a/b.go#c; mend it by",
	} {
		wrong := wrongBlocks(goBlocks(text), regions)
		if want == "" {
			require.Empty(t, wrong, text)
			continue
		}
		require.Len(t, wrong, 1, text)
		require.Contains(t, wrong[0], want)
	}
}
