package report

import (
	"image/color"
	"slices"
	"strings"
)

// kind is a way in which a user's code meets its messages. Only what is of one kind is compared.
type kind struct {
	name     string
	ours     color.RGBA // of this library
	others   color.RGBA // of what stands beside it
	subjects []string
}

// kinds are in the order in which they are shown. What decides is the code that a user writes: mangos and zmq4 have a
// Recv, but it takes from a channel that a goroutine of theirs fills; websocket has the user's goroutine read.
var kinds = []kind{
	{
		"callbacks", color.RGBA{0x1f, 0x6f, 0xb4, 0xff}, color.RGBA{0xa9, 0xc9, 0xe6, 0xff},
		[]string{"inline", "netasync-inline", "handler", "netasync-handler", "gnet", "netpoll", "getty", "nats"},
	},
	{
		"a loop that receives", color.RGBA{0x2b, 0x8a, 0x3e, 0xff}, color.RGBA{0xae, 0xd9, 0xb5, 0xff},
		[]string{"recv", "iter", "netasync-iter", "net", "websocket", "erlang"},
	},
	{
		"channels", color.RGBA{0xc2, 0x5e, 0x0c, 0xff}, color.RGBA{0xf3, 0xcb, 0xa3, 0xff},
		[]string{"chan", "netasync", "netasync-resume", "netchan", "nats-chan", "mangos", "zmq4"},
	},
}

// other is what has no kind: cases where all do the same, such as calls, and yardsticks.
var other = kind{ours: kinds[0].ours, others: color.RGBA{0xb4, 0xbc, 0xc4, 0xff}}

// sorted tells whether the subjects of a case are of kinds.
func sorted(key string) bool {
	return slices.ContainsFunc([]string{"echo-", "pingpong-", "pair-", "idle", "flood", "sessions-", "payload-", "loops-"},
		func(prefix string) bool { return strings.HasPrefix(key, prefix) })
}

// kindOf returns the kind of a subject, and its place in it; len(kinds) and 0 for none.
func kindOf(subject string) (k, place int) {
	for k := range kinds {
		if place := slices.Index(kinds[k].subjects, subject); place >= 0 {
			return k, place
		}
	}
	return len(kinds), 0
}

func kindAt(k int) kind {
	if k < len(kinds) {
		return kinds[k]
	}
	return other
}

// names are what a reader who does not know the benchmark calls a subject. What is not here has its own name.
var names = map[string]string{
	"inline":           "netasync, Inline",
	"handler":          "netasync, OnEvent",
	"recv":             "netasync, Recv",
	"iter":             "netasync, Messages",
	"chan":             "netasync, channels",
	"netasync-inline":  "netasync, Inline",
	"netasync-handler": "netasync, OnEvent",
	"netasync-iter":    "netasync, Messages",
	"netasync-resume":  "netasync, Resume",
	"netchan":          "net, channels by hand",
	"nats":             "NATS",
	"nats-chan":        "NATS, ChanSubscribe",
	"erlang":           "Erlang",
	"grpc":             "gRPC",
	"beat":             "a bare loop of writes",
	"byhand":           "net.Dial by hand",
	"broadcast":        "netasync, Group",
	"loop":             "loop of TrySend",
	"loop-shared":      "loop, shared memory",
}

// nameIn is what a subject is called in a case.
func nameIn(key, subject string) string {
	if name := clusterName(key, subject); name != "" {
		return name
	}
	if subject == "netasync" && strings.HasPrefix(key, "pair-") {
		return "netasync, channels"
	}
	if name, ok := names[subject]; ok {
		return name
	}
	return subject
}

var own = []string{
	"chan", "recv", "iter", "handler", "inline", "netasync", "netasync-resume", "netasync-iter", "netasync-handler",
	"netasync-inline", "broadcast", "drop", "close", "latest", "local", "remote", "stream", "direct", "relay",
}

// isOurs tells whether a subject is this library.
func isOurs(subject string) bool { return slices.Contains(own, subject) }
