package netasync_test

import (
	"cmp"
	"go/ast"
	"go/doc"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// What users do not need, they do not see: the names are those of the documentation.
func TestMethodsOfTheFace(t *testing.T) {
	for _, c := range []struct {
		of    any
		names string
	}{
		{&netasync.Session{}, "Close CloseNow Context Done Events Flush ID Identity LocalAddr LogValue Messages Name RTT ReadChan Recv RemoteAddr RetryNow Send SendBatch SetValue State Stats TLS TrySend Value WaitConnected WriteChan"},
		{&netasync.Engine{}, "Connect Health History Listen Serve Sessions Shutdown Stats Totals"},
		{&netasync.Listener{}, "AcceptChan Addr Close Sessions"},
		{&netasync.Handler{}, "AcceptChan Health History OnBoot OnClose OnOpen OnShutdown OnTick OnTraffic Sessions Shutdown Stats Totals"},
		{&netasync.History{}, "Closed Events"},
	} {
		var names []string
		for i := range reflect.TypeOf(c.of).NumMethod() {
			names = append(names, reflect.TypeOf(c.of).Method(i).Name)
		}
		require.Equal(t, c.names, strings.Join(names, " "))
	}
}

// What the package comment links to is there, with the methods of the types, which this package
// does not show.
func TestLinksOfThePackageComment(t *testing.T) {
	types := map[string]reflect.Type{
		"engine.Engine":         reflect.TypeFor[*netasync.Engine](),
		"engine.Listener":       reflect.TypeFor[*netasync.Listener](),
		"engine.Handler":        reflect.TypeFor[*netasync.Handler](),
		"engine.ConnectOptions": reflect.TypeFor[*netasync.ConnectOptions](),
		"engine.ListenOptions":  reflect.TypeFor[*netasync.ListenOptions](),
		"session.Session":       reflect.TypeFor[*netasync.Session](),
	}
	p := face(t)
	bracketed := regexp.MustCompile(`\[[\w.]+\]`).FindAllString(p.Doc, -1)
	var linked []string
	for _, link := range docLinks(p.Parser().Parse(p.Doc)) {
		name := strings.TrimPrefix(link.Recv+"."+link.Name, ".")
		if link.ImportPath != "" { // else a name of this package, or it would be no link
			of := path.Base(link.ImportPath)
			name = of + "." + name
			typ, known := types[of+"."+cmp.Or(link.Recv, link.Name)]
			require.True(t, known, name)
			_, has := typ.MethodByName(link.Name)
			require.True(t, has || link.Recv == "", name)
		}
		linked = append(linked, "["+name+"]")
	}
	require.Equal(t, bracketed, linked, "what stands in brackets, and what is a link")
}

// Each example is shown with what it is an example of, and checks its output.
func TestExamplesAreShown(t *testing.T) {
	p := face(t)
	shown := p.Examples
	for _, f := range p.Funcs {
		shown = append(shown, f.Examples...)
	}
	for _, typ := range p.Types {
		shown = append(shown, typ.Examples...)
		for _, f := range typ.Funcs {
			shown = append(shown, f.Examples...)
		}
	}
	var names []string
	for _, e := range shown {
		require.NotEmpty(t, e.Output, e.Name)
		names = append(names, strings.TrimSuffix(e.Name+" "+e.Suffix, " "))
	}
	slices.Sort(names)
	require.Equal(t, []string{
		"ConnectOptions_proxy proxy", "Engine_connect connect", "Engine_listen listen", "Engine_reusePort reusePort",
		"Engine_shutdown shutdown", "Engine_socketActivation socketActivation", "ListenOptions_inline inline",
		"ListenOptions_onEvent onEvent", "ListenOptions_peerCredentials peerCredentials", "NewHandler", "Session_channels channels", "Session_sendAndRecv sendAndRecv",
	}, names)
}

// face is the documentation of the package.
func face(t *testing.T) *doc.Package {
	t.Helper()
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	set := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		f, err := parser.ParseFile(set, name, nil, parser.ParseComments)
		require.NoError(t, err)
		files = append(files, f)
	}
	p, err := doc.NewFromFiles(set, files, "github.com/netasync/netasync")
	require.NoError(t, err)
	return p
}

// docLinks returns the links of a comment.
func docLinks(d *comment.Doc) (links []*comment.DocLink) {
	var blocks func([]comment.Block)
	blocks = func(all []comment.Block) {
		for _, b := range all {
			switch b := b.(type) {
			case *comment.Paragraph:
				for _, text := range b.Text {
					if link, ok := text.(*comment.DocLink); ok {
						links = append(links, link)
					}
				}
			case *comment.List:
				for _, item := range b.Items {
					blocks(item.Content)
				}
			}
		}
	}
	blocks(d.Content)
	return links
}
