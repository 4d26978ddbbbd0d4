package netasync_test

import (
	"go/ast"
	"go/doc"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

// fileSet has the positions of all files of docOf.
var fileSet = token.NewFileSet()

// filesOf are the Go files of a package and its tests, for all systems.
func filesOf(t *testing.T, dir string) (files []*ast.File) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	for _, name := range names {
		f, err := parser.ParseFile(fileSet, name, nil, parser.ParseComments)
		require.NoError(t, err)
		files = append(files, f)
	}
	return files
}

// docOf is the documentation of the package in a directory.
func docOf(t *testing.T, dir string) *doc.Package {
	t.Helper()
	p, err := doc.NewFromFiles(fileSet, filesOf(t, dir), path.Join(module, dir))
	require.NoError(t, err)
	return p
}

// A symbol is something that is exported, with its comment.
type symbol struct {
	name   string // also Type.Method and Type.Field
	text   string
	inCode bool // the comment is shown within the declaration
}

// symbols returns all that a package exports, in types that it exports.
func symbols(p *doc.Package) (all []symbol) {
	values := slicesOf(p.Consts, p.Vars)
	funcs := p.Funcs
	for _, typ := range p.Types {
		all = append(all, symbol{name: typ.Name, text: typ.Doc})
		all = append(all, members(typ)...)
		for _, m := range typ.Methods {
			all = append(all, symbol{name: typ.Name + "." + m.Name, text: m.Doc})
		}
		values = append(values, slicesOf(typ.Consts, typ.Vars)...)
		funcs = append(funcs, typ.Funcs...)
	}
	for _, f := range funcs {
		all = append(all, symbol{name: f.Name, text: f.Doc})
	}
	for _, v := range values {
		all = append(all, valuesOf(v)...)
	}
	return all
}

// slicesOf joins slices without changing them.
func slicesOf(all ...[]*doc.Value) (joined []*doc.Value) {
	for _, one := range all {
		joined = append(joined, one...)
	}
	return joined
}

// valuesOf are the constants or variables of a declaration. Each has a comment, or all of them one.
func valuesOf(v *doc.Value) (all []symbol) {
	for _, spec := range v.Decl.Specs {
		spec := spec.(*ast.ValueSpec)
		own := spec.Doc.Text() + spec.Comment.Text()
		for _, name := range spec.Names {
			switch {
			case !name.IsExported():
			case own != "":
				all = append(all, symbol{name.Name, own, true})
			default:
				all = append(all, symbol{name: name.Name, text: v.Doc})
			}
		}
	}
	return all
}

// members are the exported fields of a struct, or methods of an interface.
func members(typ *doc.Type) (all []symbol) {
	var fields *ast.FieldList
	switch spec := typ.Decl.Specs[0].(*ast.TypeSpec).Type.(type) {
	case *ast.StructType:
		fields = spec.Fields
	case *ast.InterfaceType:
		fields = spec.Methods
	default:
		return nil
	}
	last := "" // comment, which may be about several fields
	for _, f := range fields.List {
		own := f.Doc.Text() + f.Comment.Text()
		for _, name := range f.Names {
			if own == "" && slices.Contains(strings.FieldsFunc(last, notLetter), name.Name) {
				own = last
			}
			if name.IsExported() {
				all = append(all, symbol{typ.Name + "." + name.Name, own, true})
			}
		}
		last = own
	}
	return all
}

func notLetter(r rune) bool { return !unicode.IsLetter(r) }

// declarations are all that is shown as code.
func declarations(p *doc.Package) (all []ast.Decl) {
	values := slicesOf(p.Consts, p.Vars)
	for _, typ := range p.Types {
		all = append(all, typ.Decl)
		values = append(values, slicesOf(typ.Consts, typ.Vars)...)
	}
	for _, v := range values {
		all = append(all, v.Decl)
	}
	return all
}

// docLinks returns the links of a comment.
func docLinks(d *comment.Doc) (links []*comment.DocLink) {
	for _, text := range texts(d) {
		if link, ok := text.(*comment.DocLink); ok {
			links = append(links, link)
		}
	}
	return links
}

// prose is the text of a comment that is no code, with what stands in brackets.
func prose(p *doc.Package, text string) string {
	var b strings.Builder
	for _, text := range texts(p.Parser().Parse(text)) {
		switch text := text.(type) {
		case comment.Plain:
			b.WriteString(string(text))
		case *comment.DocLink:
			b.WriteString("[" + textOf(text) + "]")
		}
	}
	return b.String()
}

// texts are the parts of all paragraphs of a comment, also of those in lists.
func texts(d *comment.Doc) (all []comment.Text) {
	var blocks func([]comment.Block)
	blocks = func(some []comment.Block) {
		for _, b := range some {
			switch b := b.(type) {
			case *comment.Paragraph:
				all = append(all, b.Text...)
			case *comment.List:
				for _, item := range b.Items {
					blocks(item.Content)
				}
			}
		}
	}
	blocks(d.Content)
	return all
}

// textOf is what a link is called.
func textOf(link *comment.DocLink) string {
	var b strings.Builder
	for _, text := range link.Text {
		b.WriteString(string(text.(comment.Plain)))
	}
	return strings.TrimPrefix(b.String(), "*")
}

// target is where a link leads to, with its import path.
func target(link *comment.DocLink) string {
	name := link.ImportPath
	for _, part := range []string{link.Recv, link.Name} {
		if part != "" {
			name += "." + part
		}
	}
	return name
}

// links are the names of what a comment links to, as package.Type.Method.
func links(p *doc.Package, text string) (names []string) {
	for _, link := range docLinks(p.Parser().Parse(text)) {
		names = append(names, path.Base(target(link)))
	}
	return names
}
