package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netasync/netasync/bench/internal/result"
)

// alike is one kind of code, and what stands beside it: a server alone, under the load generator, and both ends.
type alike struct {
	code       string
	server     string
	rival      string
	rivalName  string
	ends       string
	rivals     []string
	rivalNames string
}

// summarised are the lines of the table in the root README.
var summarised = []alike{
	{
		"callbacks on the event loop (`Inline`)", "inline", "gnet", "gnet",
		"netasync-inline", []string{"getty", "nats"}, "getty, NATS",
	},
	{
		"callbacks that may block (`OnEvent`)", "handler", "netpoll", "netpoll",
		"netasync-handler", []string{"getty", "nats"}, "getty, NATS",
	},
	{
		"a loop (`Messages`)", "iter", "net", "package `net`, a goroutine per connection",
		"netasync-iter", []string{"net", "websocket"}, "`net`, websocket",
	},
	{
		"channels", "chan", "netchan", "`net`, with goroutines and channels by hand",
		"netasync", []string{"netchan", "mangos", "zmq4", "nats-chan"}, "the same by hand, mangos, zmq4, NATS",
	},
}

// Summary is what the root README says of speed: a line for each kind of code, and idle sessions.
func Summary(f *result.File) string {
	lines := []string{
		line("your code", "a server, beside", "16 B, 100 connections", "64 KiB", "both ends, beside the fastest of", "16 B", "64 KiB"),
		line("---", "---", "---", "---", "---", "---", "---"),
	}
	for _, a := range summarised {
		server := func(key string) string { return ratioOf(f, ratio(key, result.PerSecond, a.server, a.rival)) }
		ends := func(key string) string { return ratioOf(f, toBest(key, result.PerSecond, false, a.ends, a.rivals)) }
		lines = append(lines, line(a.code, a.rivalName, server("echo-100x100x16"), server("echo-10x4x64k"),
			a.rivalNames, ends("pair-16"), ends("pair-64k")))
	}
	return strings.Join(lines, "\n") + "\n" + idleSentence(f)
}

func ratioOf(f *result.File, value func(look) (float64, bool)) string {
	return ratioCell(target{value: value}.judge(f))
}

// idleSentence says what idle sessions take.
func idleSentence(f *result.File) string {
	kib := func(subject string) string {
		figure := f.Lookup("idle", subject, result.Resident)
		if figure == nil {
			return "–"
		}
		return trim(figure.Median / (1 << 10))
	}
	i := slices.IndexFunc(f.Tables, func(t *result.Table) bool { return t.Key == "idle" })
	if i < 0 {
		return ""
	}
	return fmt.Sprintf("\nOf %s, each takes %s KiB with callbacks and %s KiB by channels; by hand around `net`, %s KiB in a loop and %s KiB with channels.\n",
		f.Tables[i].Title, kib("handler"), kib("chan"), kib("net"), kib("netchan"))
}
