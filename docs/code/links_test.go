package code

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

// index is the page that lists those of docs.
const index = "docs/README.md"

// Each page of docs has a line in the index.
func TestIndex(t *testing.T) {
	texts := pages(t)
	listed := map[string]int{}
	for line := range strings.Lines(texts[index]) {
		for _, l := range links(line) {
			listed[path.Join("docs", l)]++
		}
	}
	for name := range texts {
		if path.Dir(name) == "docs" && name != index && listed[name] == 0 {
			t.Errorf("%s has no line of %s", index, name)
		}
	}
}

// Each relative link of a page leads to a file, or to a heading of a page.
func TestLinks(t *testing.T) {
	all := pages(t)
	for _, name := range []string{"CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		all[name] = string(text)
	}
	for name, text := range all {
		for _, wrong := range wrongLinks(name, text) {
			t.Errorf("%s: %s", name, wrong)
		}
	}
}

// What the badges of the README say is so.
func TestBadges(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	for part, pattern := range map[string]string{
		"badge/Go-%s_or_later": `(?m)^go (\d+\.\d+)`, "badge/gnet-%s-": `gnet/v2 (v\d+\.\d+)\.`,
	} {
		version := regexp.MustCompile(pattern).FindSubmatch(mod)
		require.NotNil(t, version)
		require.Contains(t, string(readme), fmt.Sprintf(part, version[1]))
	}
	licence, err := os.ReadFile(filepath.Join(root, "LICENSE"))
	require.NoError(t, err)
	require.Contains(t, string(licence), "Permission is hereby granted, free of charge")
	require.FileExists(t, filepath.Join(root, ".github", "workflows", "ci.yml"))
}

var (
	// link finds where links and pictures lead to.
	link = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	// quoted is what has no links in it.
	quoted = regexp.MustCompile("(?s)\n[ \t]*```.*?\n[ \t]*```|`[^`\n]*`")
)

// links returns where a text leads to, without what is on other machines.
func links(text string) (all []string) {
	for _, found := range link.FindAllStringSubmatch(quoted.ReplaceAllString(text, ""), -1) {
		if !strings.Contains(found[1], "://") {
			all = append(all, found[1])
		}
	}
	return all
}

// wrongLinks says which links of a page lead nowhere.
func wrongLinks(name, text string) (wrong []string) {
	for _, l := range links(text) {
		file, anchor, _ := strings.Cut(l, "#")
		target := name
		if file != "" {
			target = path.Join(path.Dir(name), file)
		}
		whole := filepath.Join(root, filepath.FromSlash(target))
		_, err := os.Stat(whole)
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("%s leads to no file", l))
			continue
		}
		if anchor == "" {
			continue
		}
		there := text
		if file != "" {
			read, _ := os.ReadFile(whole)
			there = string(read)
		}
		if !anchors(there)[anchor] {
			wrong = append(wrong, fmt.Sprintf("%s leads to no heading", l))
		}
	}
	return wrong
}

// heading finds headings.
var heading = regexp.MustCompile(`(?m)^#+ +(.*)$`)

// anchors returns what the headings of a page are called in links, as GitHub does it: in small letters, with
// hyphens for spaces, without most other signs, and with a number where there is one of that name before.
func anchors(text string) map[string]bool {
	names := map[string]bool{}
	for _, found := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		title := regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(strings.TrimSpace(found[1]), "$1")
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r):
				return unicode.ToLower(r)
			}
			return -1
		}, title)
		first := name
		for n := 1; names[name]; n++ {
			name = fmt.Sprintf("%s-%d", first, n)
		}
		names[name] = true
	}
	return names
}

// fenced is code, where # begins no heading.
var fenced = regexp.MustCompile("(?ms)^[ \t]*```.*?^[ \t]*```")

// The checks find what they are for.
func TestWrongLinks(t *testing.T) {
	const text = "# One `thing`\n## Two: [three](x), four\n## One thing\n```sh\n# no heading\n```\n"
	for l, want := range map[string]string{
		"README.md":           "",
		"../Makefile":         "",
		"https://x.test/#y":   "",
		"README.md#the-wires": "README.md#the-wires leads to no heading",
		"../README.md#calls":  "",
		"#one-thing":          "",
		"#one-thing-1":        "",
		"#two-three-four":     "",
		"#no-heading":         "#no-heading leads to no heading",
		"nowhere.md":          "nowhere.md leads to no file",
	} {
		wrong := strings.Join(wrongLinks(index, text+"["+"a"+"]("+l+")"), "")
		wrong = strings.TrimPrefix(wrong, "x leads to no file") // of the second heading
		require.Equal(t, want, wrong, l)
	}
	require.Empty(t, links("`[a](b)`\n```\n[a](b)\n```\n"))
}
