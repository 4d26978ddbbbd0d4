package report

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/netasync/netasync/bench/internal/result"
)

// blocks are the parts of a text that come out of a run, by name.
var blocks = map[string]func(*result.File) string{
	"summary": Summary,
	"run":     aboutRun,
	"servers": func(f *result.File) string { return tableOf(f, serverColumns) },
	"ends":    func(f *result.File) string { return tableOf(f, endColumns) },
	"idle":    func(f *result.File) string { return tableOf(f, idleColumns) },
	"calls":   func(f *result.File) string { return tableOf(f, callColumns) + plotsOf(f, callColumns) },
	"targets": targetTable,
	"cluster": clusters,
	"clusterplots": func(f *result.File) string {
		return strings.TrimPrefix(plotsOf(f, slices.Concat(clusterTables[0].columns, clusterTables[1].columns, clusterTables[2].columns)), "\n")
	},
	"broadcasts": func(f *result.File) string {
		return tableOf(f, largeBroadcasts) + "\n" + tableOf(f, smallBroadcasts) + "\n" + tableOf(f, besideColumns) +
			plotsOf(f, slices.Concat(largeBroadcasts, smallBroadcasts))
	},
}

// block is a place in a Markdown text: what a run says stands between two comments.
var block = regexp.MustCompile(`(?s)(<!-- from ([a-z-]+)\.json: ([a-z]+) -->\n)(.*?)(<!-- end -->)`)

// Insert puts what runs say into the places that a text has for it. A run is found by the name of its file; nil: there
// is no such file yet, and what stands in its places stays.
func Insert(text string, find func(run string) (*result.File, error)) (string, error) {
	var failed error
	out := block.ReplaceAllStringFunc(text, func(old string) string {
		parts := block.FindStringSubmatch(old)
		begin, run, name, end := parts[1], parts[2], parts[3], parts[5]
		write := blocks[name]
		f, err := find(run)
		switch {
		case err == nil && write == nil:
			err = fmt.Errorf("nothing is called %q", name)
		case err == nil && f == nil:
			return old
		}
		if err != nil {
			failed = err
			return old
		}
		return begin + "\n" + write(f) + "\n" + end
	})
	return out, failed
}
