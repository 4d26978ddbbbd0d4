package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"

	"github.com/netasync/netasync/docs/code/internal/region"
)

// module is what the names in a profile begin with.
const module = "github.com/netasync/netasync/docs/code/"

// A block is part of a function that has run or has not.
type block struct {
	begin, beginColumn, end, endColumn int
	statements, runs                   int
}

// parse returns the blocks of a profile by the path of their file.
func parse(profile string) (map[string][]block, error) {
	blocks := map[string][]block{}
	for line := range strings.Lines(profile) {
		file, rest, _ := strings.Cut(strings.TrimPrefix(line, module), ":")
		if file == "mode" {
			continue
		}
		var b block
		_, err := fmt.Sscanf(rest, "%d.%d,%d.%d %d %d", &b.begin, &b.beginColumn, &b.end, &b.endColumn, &b.statements, &b.runs)
		if err != nil {
			return nil, fmt.Errorf("in the profile: %q: %w", line, err)
		}
		blocks[file] = append(blocks[file], b)
	}
	return blocks, nil
}

// missedBy says what of a region was not run: the region as a whole, and each function that begins in
// it and was not called. Of what is in a function, errors need not have happened. A program is left out: the
// test of its directory runs it, but as a process of its own.
func missedBy(r region.Region, source []byte, blocks []block) (missed []string, err error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, r.File, source, parser.SkipObjectResolution)
	if err != nil || file.Name.Name == "main" {
		return nil, err
	}
	some, run := false, false
	for _, b := range blocks {
		if b.begin < r.End && b.end > r.Begin && b.statements > 0 {
			some = true
			run = run || b.runs > 0
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		var body *ast.BlockStmt
		switch f := n.(type) {
		case *ast.FuncDecl:
			body = f.Body
		case *ast.FuncLit:
			body = f.Body
		}
		if body == nil || len(body.List) == 0 {
			return true
		}
		begin, end := files.Position(body.Lbrace), files.Position(body.Rbrace)
		if begin.Line > r.Begin && begin.Line < r.End && !entered(blocks, begin, end) {
			missed = append(missed, fmt.Sprintf("%s:%d: no test calls the function, which %s shows", r.File, begin.Line, r.Name))
		}
		return true
	})
	if some && !run {
		missed = append(missed, fmt.Sprintf("%s:%d: no test runs %s", r.File, r.Begin, r.Name))
	}
	return missed, nil
}

// entered reports whether some block within a body has run.
func entered(blocks []block, begin, end token.Position) bool {
	for _, b := range blocks {
		after := b.begin > begin.Line || b.begin == begin.Line && b.beginColumn >= begin.Column
		before := b.end < end.Line || b.end == end.Line && b.endColumn <= end.Column+1
		if after && before && b.runs > 0 {
			return true
		}
	}
	return false
}
