package report

import (
	"slices"
	"strings"

	"github.com/netasync/netasync/bench/internal/result"
)

// clusterTable is a table of cluster/README.md, with what is said before it.
type clusterTable struct {
	about   string
	columns []shownIn
}

var clusterTables = []clusterTable{
	{
		"`Send` of 128 B, by one goroutine, and by 64 to as many names. The sessions belong to clients in a process of their own, which have each message in the end. " +
			"CPU is that of all three nodes. *By hand* is a request of NATS to the other process, which gives the message to the session by `TrySend`, and answers; " +
			"*alone* it answers, and there is no session. Where a session's `WriteBuffer` is full the caller tries again after 100 µs.",
		[]shownIn{
			{"1 caller: p50 µs", "cluster-send-1", result.P50, 1},
			{"p99 µs", "cluster-send-1", result.P99, 1},
			{"messages/s", "cluster-send-1", result.PerSecond, 1},
			{"CPU for each, µs", "cluster-send-1", result.CPU, 1e3},
			{"64 callers: p50 µs", "cluster-send-64", result.P50, 1},
			{"p99 µs", "cluster-send-64", result.P99, 1},
			{"messages/s", "cluster-send-64", result.PerSecond, 1},
			{"CPU for each, µs", "cluster-send-64", result.CPU, 1e3},
		},
	},
	{
		"A stream from one goroutine to one session of another node, where no message is waited for. *By hand* is `Publish` of NATS; the subscriber in the other process gives each message to the session " +
			"by `Send`, and says after each 128th how many it has, so that no more than 4,096 are under way, as NATS throws away what is too much; *alone* it only counts.",
		[]shownIn{
			{"128 B: messages/s", "cluster-stream-128", result.PerSecond, 1},
			{"CPU for each, µs", "cluster-stream-128", result.CPU, 1e3},
			{"4 KiB: messages/s", "cluster-stream-4k", result.PerSecond, 1},
			{"CPU for each, µs", "cluster-stream-4k", result.CPU, 1e3},
		},
	},
	{
		"`Broadcast` of 128 B to 30,000 members, 10,000 at each node, beside 30,000 clients of NATS with a subscription each, 10,000 at each server. The clients are three more processes on the same cores.",
		[]shownIn{
			{"half of a node's members have it, ms", "cluster-broadcast", result.P50, 1e3},
			{"the last of all has it, ms", "cluster-broadcast", result.Last, 1e3},
			{"CPU of the nodes for each member, µs", "cluster-broadcast", result.CPUMember, 1e3},
		},
	},
	{
		"A client that has come back, and goes on with its session: at the session's node, at another one, which passes its connection on, and at a TCP proxy of 20 lines in that node's process. " +
			"One client of 20 talks, by `Inline` at both ends; CPU is that of all nodes.",
		[]shownIn{
			{"ping-pong, 128 B: p50 µs", "cluster-relay-1", result.P50, 1},
			{"p99 µs", "cluster-relay-1", result.P99, 1},
			{"CPU for each, µs", "cluster-relay-1", result.CPU, 1e3},
			{"64 KiB, 16 under way, both ways: MB/s", "cluster-relay-64k", result.Bandwidth, 1},
			{"CPU for each, µs", "cluster-relay-64k", result.CPU, 1e3},
			{"descriptors for a connection in between", "cluster-relay-1", result.Descriptors, 1},
		},
	},
	{
		"The node of 20 clients ends without a word. They talk all the time, know the addresses of all three nodes, and give a connection up when nothing has come for 2 s; another node then tries to reach the one of the session, until that is known to be dead. Names and members are seen from another node.",
		[]shownIn{
			{"another node answers the client in the middle, ms", "cluster-failover", result.Again, 1},
			{"the last client, ms", "cluster-failover", result.AgainLast, 1},
			{"`Send` says that nobody has the name, ms", "cluster-failover", result.Free, 1},
			{"the members have left, ms", "cluster-failover", result.Left, 1},
		},
	},
	{
		"100,000 names of 13 bytes, claimed at one node, one after the other.",
		[]shownIn{
			{"bytes of heap for each at its node", "cluster-names", result.NameOwner, 1},
			{"at each other node", "cluster-names", result.NameReplica, 1},
			{"a claim, µs", "cluster-names", result.Claim, 1},
			{"another node has all, ms after the first claim began", "cluster-names", result.Replicated, 1},
			{"a new node has all, ms after it began", "cluster-names", result.Joined, 1},
		},
	},
	{
		"", []shownIn{{"until it has started, ms", "cluster-start", result.Started, 1}},
	},
	{
		"", []shownIn{
			{"program, MiB", "cluster-size", result.Binary, 1 << 20},
			{"without what debuggers need (`-s -w`), MiB", "cluster-size", result.Stripped, 1 << 20},
		},
	},
}

// clusterNames are what the subjects of these cases are called, by what their keys begin with.
var clusterNames = map[string]map[string]string{
	"cluster-send": {
		"local": "`Send`, the session is here", "remote": "`Send`, it is at another node",
		"nats-hand": "NATS by hand", "nats": "NATS alone",
	},
	"cluster-stream":    {"stream": "`RemoteSession`", "nats-hand": "NATS by hand", "nats": "NATS alone"},
	"cluster-broadcast": {"netasync": "`Broadcast`", "nats": "NATS"},
	"cluster-relay":     {"direct": "the session's node", "relay": "another node", "proxy": "a TCP proxy"},
	"cluster-failover":  {"kill": "killed (`SIGKILL`)", "stop": "hangs (`SIGSTOP`)"},
	"cluster-names":     {"names": "100,000 names"},
	"cluster-start":     {"alone": "a node on its own, in a process that runs", "three": "three at once, until each knows the others"},
	"cluster-size":      {"plain": "a server with sessions", "node": "the same as a node of a cluster"},
}

// clusters is what cluster/README.md says of a run.
func clusters(f *result.File) string {
	text := aboutCluster(f)
	for _, t := range clusterTables {
		if !slices.ContainsFunc(t.columns, func(c shownIn) bool { return len(subjectsOf(f, []shownIn{c})) > 0 }) {
			continue
		}
		if text += "\n"; t.about != "" {
			text += t.about + "\n\n"
		}
		text += tableOf(f, t.columns)
	}
	return text
}

// aboutCluster says when and where, with the versions of NATS alone.
func aboutCluster(f *result.File) string {
	few := *f
	few.Machine.Versions = map[string]string{}
	for path, version := range f.Machine.Versions {
		if strings.Contains(path, "/nats") {
			few.Machine.Versions[path] = version
		}
	}
	return aboutRun(&few)
}

// clusterName is what a subject is called in a case; empty if that is not of a cluster.
func clusterName(key, subject string) string {
	for prefix, names := range clusterNames {
		if strings.HasPrefix(key, prefix) && names[subject] != "" {
			return names[subject]
		}
	}
	return ""
}
