// Package region finds the parts of Go files that the pages show.
//
//	//doc:begin name
//	the lines that are shown as the region "name"
//	//doc:skip
//	these lines are compiled, and shown as a single "…"
//	//doc:resume
//	//doc:end
package region

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// A Region is part of a file.
type Region struct {
	File       string // its path below the root that All was given, with slashes
	Name       string
	Begin, End int    // the lines of its marks
	Text       string // as a page shows it: dedented, each line with its end
}

// ID is how a page names the region.
func (r Region) ID() string { return r.File + "#" + r.Name }

// All returns the regions of all Go files below a directory.
func All(root string) ([]Region, error) {
	var all []Region
	err := filepath.WalkDir(root, func(name string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".go" {
			return err
		}
		below, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		found, err := parse(filepath.ToSlash(below), string(text))
		all = append(all, found...)
		return err
	})
	return all, err
}

// Dir is the directory of the region's file.
func (r Region) Dir() string { return path.Dir(r.File) }

// parse returns the regions of one file.
func parse(file, text string) ([]Region, error) {
	p := parser{file: file, names: map[string]bool{}}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		p.line++
		if err := p.take(lines.Text()); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, p.line, err)
		}
	}
	if p.open != nil {
		return nil, fmt.Errorf("%s:%d: region %s has no end", file, p.open.Begin, p.open.Name)
	}
	return p.regions, lines.Err()
}

// A parser goes through the lines of a file.
type parser struct {
	file     string
	line     int
	names    map[string]bool
	regions  []Region
	open     *Region // the one whose end has not come
	shown    []string
	skipping bool
}

// take takes the next line.
func (p *parser) take(line string) error {
	mark := strings.TrimSpace(line)
	verb, name, _ := strings.Cut(mark, " ")
	switch {
	case !strings.HasPrefix(mark, "//doc:"):
		if p.open != nil && !p.skipping {
			p.shown = append(p.shown, line)
		}
		return nil
	case verb == "//doc:begin" && p.open == nil && name != "":
		return p.begin(name)
	case p.open == nil:
		return fmt.Errorf("%s stands in no region", mark)
	case mark == "//doc:skip" && !p.skipping:
		p.shown = append(p.shown, strings.Replace(line, mark, "…", 1))
		p.skipping = true
		return nil
	case mark == "//doc:resume" && p.skipping:
		p.skipping = false
		return nil
	case mark == "//doc:end" && !p.skipping:
		return p.end()
	}
	return fmt.Errorf("%s must not stand here", mark)
}

func (p *parser) begin(name string) error {
	if p.names[name] {
		return fmt.Errorf("there is a region %s already", name)
	}
	p.names[name] = true
	p.open = &Region{File: p.file, Name: name, Begin: p.line}
	return nil
}

func (p *parser) end() error {
	p.open.End = p.line
	p.open.Text = dedent(p.shown)
	if p.open.Text == "" {
		return fmt.Errorf("region %s is empty", p.open.Name)
	}
	p.regions = append(p.regions, *p.open)
	p.open, p.shown = nil, nil
	return nil
}

// dedent joins lines without the tabs that all of them begin with, and without empty lines at both ends.
func dedent(lines []string) string {
	for len(lines) > 0 && lines[0] == "" {
		lines = lines[1:]
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	depth := -1
	for _, line := range lines {
		tabs := len(line) - len(strings.TrimLeft(line, "\t"))
		if line != "" && (depth < 0 || tabs < depth) {
			depth = tabs
		}
	}
	var text strings.Builder
	for _, line := range lines {
		text.WriteString(line[min(len(line), max(depth, 0)):] + "\n")
	}
	return text.String()
}
