package netasync_test

import (
	"go/doc"
	"go/printer"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

// The packages that users read about.
var documented = []string{"", "broadcast", "call", "codec", "debugpage", "engine", "netasynctest", "reconnect", "session"}

const module = "github.com/netasync/netasync"

// aliased are the types of other packages that this package has names for. Their pages show their
// methods and fields, and the one of this package does not.
var aliased = map[string]reflect.Type{
	"Backoff":            reflect.TypeFor[netasync.Backoff](),
	"Buffer":             reflect.TypeFor[netasync.Buffer](),
	"Codec":              reflect.TypeFor[netasync.Codec](),
	"ConnInfo":           reflect.TypeFor[netasync.ConnInfo](),
	"ConnectOptions":     reflect.TypeFor[netasync.ConnectOptions](),
	"Engine":             reflect.TypeFor[netasync.Engine](),
	"EngineOptions":      reflect.TypeFor[netasync.EngineOptions](),
	"Event":              reflect.TypeFor[netasync.Event](),
	"EventKind":          reflect.TypeFor[netasync.EventKind](),
	"FrameTooLargeError": reflect.TypeFor[netasync.FrameTooLargeError](),
	"Handler":            reflect.TypeFor[netasync.Handler](),
	"ListenOptions":      reflect.TypeFor[netasync.ListenOptions](),
	"History":            reflect.TypeFor[netasync.History](),
	"PastEvent":          reflect.TypeFor[netasync.PastEvent](),
	"ClosedSession":      reflect.TypeFor[netasync.ClosedSession](),
	"Listener":           reflect.TypeFor[netasync.Listener](),
	"Policy":             reflect.TypeFor[netasync.Policy](),
	"Reason":             reflect.TypeFor[netasync.Reason](),
	"Refusals":           reflect.TypeFor[netasync.Refusals](),
	"Session":            reflect.TypeFor[netasync.Session](),
	"SessionStats":       reflect.TypeFor[netasync.SessionStats](),
	"State":              reflect.TypeFor[netasync.State](),
	"Stats":              reflect.TypeFor[netasync.Stats](),
	"Totals":             reflect.TypeFor[netasync.Totals](),
	"UnsentError":        reflect.TypeFor[netasync.UnsentError](),
	"WhileDown":          reflect.TypeFor[netasync.WhileDown](),
}

// notForUsers are methods that only other packages of the library have a use for: they fill in
// defaults, and count what is between two attempts.
var notForUsers = []string{"session.Buffer.Resolve", "reconnect.Backoff.Resolve", "reconnect.Backoff.Delay"}

// Structs of figures are read, not filled in: they are shown whole at the other end of the link in
// their declaration, so their fields are not listed.
var figures = []string{"SessionStats", "Stats", "Refusals", "Totals", "FrameTooLargeError", "UnsentError", "PastEvent", "ClosedSession"}

// One click leads from the page of this package to every method, and to every field of an option.
func TestAliasesLinkToAllTheyHave(t *testing.T) {
	p := docOf(t, "")
	var names []string
	for _, typ := range p.Types {
		of, known := aliased[typ.Name]
		require.True(t, known, typ.Name)
		names = append(names, typ.Name)
		prefix := path.Base(of.PkgPath()) + "." + of.Name() + "."
		var want []string
		for i := range reflect.PointerTo(of).NumMethod() {
			want = append(want, prefix+reflect.PointerTo(of).Method(i).Name)
		}
		if of.Kind() == reflect.Struct && !slices.Contains(figures, typ.Name) {
			for _, f := range reflect.VisibleFields(of) {
				if f.IsExported() {
					want = append(want, prefix+f.Name)
				}
			}
		}
		want = slices.DeleteFunc(want, func(name string) bool { return slices.Contains(notForUsers, name) })
		require.Subset(t, links(p, typ.Doc), want, typ.Name)
	}
	require.Len(t, names, len(aliased), "types of which there is no alias any more")
}

// What stands in brackets is a link, and leads to something.
func TestDocLinks(t *testing.T) {
	brackets := regexp.MustCompile(`\[\*?[A-Za-z][\w./]*\]`)
	exist := map[string]bool{}
	for _, dir := range documented {
		p := docOf(t, dir)
		exist[path.Join(module, dir)] = true
		for _, s := range symbols(p) {
			exist[path.Join(module, dir)+"."+s.name] = true
		}
	}
	for _, dir := range documented {
		p := docOf(t, dir)
		for _, s := range append(symbols(p), symbol{name: "package " + p.Name, text: p.Doc}) {
			if s.inCode { // there, nothing is a link
				assert.NotRegexp(t, brackets, s.text, "%s: %s", dir, s.name)
				continue
			}
			var bracketed, linked []string
			for _, b := range brackets.FindAllString(prose(p, s.text), -1) {
				bracketed = append(bracketed, strings.Trim(b, "[]*"))
			}
			for _, link := range docLinks(p.Parser().Parse(s.text)) {
				linked = append(linked, textOf(link))
				if link.ImportPath == "" {
					link.ImportPath = path.Join(module, dir)
				}
				if strings.HasPrefix(link.ImportPath, module) {
					assert.True(t, exist[target(link)], "%s: %s links to %s", dir, s.name, target(link))
				}
			}
			assert.Equal(t, bracketed, linked, "%s: %s", dir, s.name)
		}
	}
}

// abbreviated sentences end there, as far as lists of packages know.
var abbreviated = regexp.MustCompile(`(e\.g|i\.e|cf|etc|vs)\.$`)

// No comment is missing or cut, and nothing has to be scrolled to be read.
func TestComments(t *testing.T) {
	for _, dir := range documented {
		p := docOf(t, dir)
		assert.Regexp(t, `^Package `+p.Name+` .*\.$`, p.Synopsis(p.Doc))
		assert.NotRegexp(t, abbreviated, p.Synopsis(p.Doc))
		assert.Less(t, len(p.Synopsis(p.Doc)), 300, "of package %s, where packages are listed", p.Name)
		for _, s := range symbols(p) {
			assert.NotEmpty(t, s.text, "%s: %s", dir, s.name)
			if !s.inCode {
				assert.Regexp(t, `[.:]$`, p.Synopsis(s.text), "%s: %s", dir, s.name)
				assert.NotRegexp(t, abbreviated, p.Synopsis(s.text), "%s: %s", dir, s.name)
			}
		}
		for _, decl := range declarations(p) {
			var out strings.Builder
			// As the site does it, whose column has room for 108 characters in a window of 1280 pixels.
			config := printer.Config{Mode: printer.UseSpaces | printer.TabIndent, Tabwidth: 4}
			require.NoError(t, config.Fprint(&out, fileSet, decl))
			for line := range strings.SplitSeq(out.String(), "\n") {
				assert.LessOrEqual(t, len([]rune(strings.ReplaceAll(line, "\t", "    "))), 108, "%s: %s", dir, line)
			}
		}
	}
}

// Each package has examples. Each is shown with what it is an example of, and checks its output.
func TestExamples(t *testing.T) {
	for _, dir := range documented {
		p := docOf(t, dir)
		shown := slices.Clone(p.Examples)
		for _, f := range p.Funcs {
			shown = append(shown, f.Examples...)
		}
		for _, typ := range p.Types {
			shown = append(shown, typ.Examples...)
			for _, f := range append(slices.Clone(typ.Funcs), typ.Methods...) {
				shown = append(shown, f.Examples...)
			}
		}
		assert.NotEmpty(t, shown, dir)
		var names []string
		for _, e := range shown {
			names = append(names, e.Name)
			if dir != "netasynctest" { // whose examples are tests
				assert.NotEmpty(t, e.Output, e.Name)
			}
			assert.NotEmpty(t, e.Doc, e.Name)
		}
		var written []string
		for _, e := range doc.Examples(filesOf(t, dir)...) {
			written = append(written, e.Name)
		}
		assert.ElementsMatch(t, written, names, "%s: what was written, and what is shown", dir)
	}
}
