package debugpage

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/netasync/netasync/engine"
	"github.com/netasync/netasync/session"
)

// Overview is how some engines and handlers are doing. Its figures are those of engine.Stats and
// session.Totals, which document them, summed over all sources; its JSON is what …/?format=json has.
type Overview struct {
	Time     time.Time `json:"time"`     // of the figures
	Healthy  bool      `json:"healthy"`  // all sources take connections
	Problems []string  `json:"problems"` // why not
	Sessions int       `json:"sessions"` // open now
	Detached int       `json:"detached"` // of these, waiting for their peer
	Accepted uint64    `json:"accepted"` // connections that became sessions
	Refused  uint64    `json:"refused"`  // connections that did not
	// RefusedBy has the reasons that there were, by their names in engine.Refusals.
	RefusedBy map[string]uint64 `json:"refused_by"`
	Left      uint64            `json:"left"`     // times a session left its event loop
	Returned  uint64            `json:"returned"` // times one came back
	Names     []Named           `json:"names"`    // in their order
}

// Named are the sums over all sessions of one name.
type Named struct {
	Name           string            `json:"name"`            // of the sessions
	Sessions       int               `json:"sessions"`        // open now
	Connected      int               `json:"connected"`       // of these, with a connection
	Detached       int               `json:"detached"`        // of these, accepted, waiting for their peer
	Connections    uint64            `json:"connections"`     // there were
	Disconnects    map[string]uint64 `json:"disconnects"`     // by reason
	Attempts       uint64            `json:"attempts"`        // to connect
	FailedAttempts uint64            `json:"failed_attempts"` // of these, that failed
	Received       uint64            `json:"received"`        // messages
	ReceivedBytes  uint64            `json:"received_bytes"`  // of their payload
	Sent           uint64            `json:"sent"`            // messages
	SentBytes      uint64            `json:"sent_bytes"`      // of their payload
	Queued         uint64            `json:"queued"`          // messages that wait for peers
	QueuedBytes    uint64            `json:"queued_bytes"`    // of their payload
	Unread         uint64            `json:"unread"`          // messages that wait for users
	UnreadBytes    uint64            `json:"unread_bytes"`    // of their payload
	Unsent         uint64            `json:"unsent"`          // messages that were never sent
	Dropped        uint64            `json:"dropped"`         // messages, both ways
	DroppedInbound uint64            `json:"dropped_inbound"` // of these, from peers
	Discarded      uint64            `json:"discarded"`       // messages from WriteChan
	Returned       uint64            `json:"returned"`        // messages handed back
	Unacked        uint64            `json:"unacked"`         // messages not acknowledged
	Resumed        uint64            `json:"resumed"`         // connections that went on
	Lost           uint64            `json:"lost"`            // messages that may not have arrived
}

// Snapshot returns how the sources are doing now. With package expvar:
//
//	expvar.Publish("netasync", expvar.Func(func() any { return debugpage.Snapshot(engine) }))
func Snapshot(sources ...Source) Overview {
	o := Overview{Time: time.Now(), Problems: problemsOf(sources), RefusedBy: map[string]uint64{}, Names: []Named{}}
	o.Healthy = len(o.Problems) == 0
	names := map[string]*Named{}
	for _, source := range sources {
		st := source.Stats()
		o.Sessions += st.Sessions
		o.Detached += st.Detached
		o.Accepted += st.Accepted
		o.Refused += st.Refused
		o.Left += st.Left
		o.Returned += st.Returned
		o.refused(&st.RefusedBy)
		for name, t := range source.Totals() {
			if names[name] == nil {
				names[name] = &Named{Name: name, Disconnects: map[string]uint64{}}
			}
			names[name].add(&t)
		}
	}
	for _, n := range names {
		o.Names = append(o.Names, *n)
	}
	slices.SortFunc(o.Names, func(a, b Named) int { return cmp.Compare(a.Name, b.Name) })
	return o
}

// refused adds the reasons that there were.
func (o *Overview) refused(by *engine.Refusals) {
	for name, n := range map[string]uint64{
		"MaxSessions": by.MaxSessions, "MaxSessionsPerAddr": by.MaxSessionsPerAddr, "MaxPending": by.MaxPending,
		"HandshakeTimeout": by.HandshakeTimeout, "Handshake": by.Handshake, "Authorize": by.Authorize,
		"Identify": by.Identify, "AcceptFull": by.AcceptFull, "Resume": by.Resume, "Undrained": by.Undrained,
		"Shutdown": by.Shutdown, "System": by.System,
	} {
		if n > 0 {
			o.RefusedBy[name] += n
		}
	}
}

func (n *Named) add(t *session.Totals) {
	n.Sessions += t.Sessions
	n.Connected += t.Connected
	n.Detached += t.Detached
	for reason, count := range t.Disconnects {
		if count > 0 {
			n.Disconnects[session.Reason(reason).String()] += count
		}
	}
	for _, sum := range [...]struct {
		to *uint64
		of uint64
	}{
		{&n.Connections, t.Connections}, {&n.Attempts, t.Attempts}, {&n.FailedAttempts, t.FailedAttempts},
		{&n.Received, t.Received}, {&n.ReceivedBytes, t.ReceivedBytes}, {&n.Sent, t.Sent},
		{&n.SentBytes, t.SentBytes}, {&n.Queued, t.Queued}, {&n.QueuedBytes, t.QueuedBytes},
		{&n.Unread, t.Unread}, {&n.UnreadBytes, t.UnreadBytes}, {&n.Unsent, t.Unsent},
		{&n.Dropped, t.Dropped}, {&n.DroppedInbound, t.DroppedInbound}, {&n.Discarded, t.Discarded},
		{&n.Returned, t.Returned}, {&n.Unacked, t.Unacked}, {&n.Resumed, t.Resumed}, {&n.Lost, t.Lost},
	} {
		*sum.to += sum.of
	}
}

// problemsOf returns why sources take no connections, a line each.
func problemsOf(sources []Source) []string {
	problems := []string{}
	for _, source := range sources {
		if err := source.Health(); err != nil {
			problems = append(problems, strings.Split(err.Error(), "\n")...)
		}
	}
	return problems
}

// reasons returns the counts of a map, the largest first.
func reasons(of map[string]uint64) []reason {
	var all []reason
	for _, name := range slices.Sorted(maps.Keys(of)) {
		all = append(all, reason{name, of[name]})
	}
	slices.SortStableFunc(all, func(a, b reason) int { return cmp.Compare(b.Count, a.Count) })
	return all
}

type reason struct {
	Name  string
	Count uint64
}
