package debugpage

import (
	"cmp"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/netasync/netasync/session"
)

// How many sessions a page has.
const (
	defaultLimit = 100
	maxLimit     = 1000
	maxOffset    = 1 << 30 // with maxLimit, it is an int of 32 bits
)

// maxText is how much of a text a list has that a peer may have chosen, such as the subject of its
// certificate: a page of many is to stay small. The page of one session has all of it.
const maxText = 256

// list is some sessions of those that there are.
type list struct {
	Sort     string `json:"sort"`
	State    string `json:"state"`
	Name     string `json:"name"`
	Search   string `json:"q"`
	Offset   int    `json:"offset"`
	Limit    int    `json:"limit"`
	Total    int    `json:"total"`    // sessions there are
	Matching int    `json:"matching"` // of these, what was asked for
	Sessions []Row  `json:"sessions"`
	search   string // q in small letters: it may be as long as a request
	query    url.Values
}

// Row is a session as the table has it. The figures are those of session.Stats.
type Row struct {
	Source        int        `json:"source"`                  // which of the handler's sources, from 0
	ID            uint64     `json:"id"`                      // of the session
	Name          string     `json:"name"`                    // of the session
	Identity      string     `json:"identity,omitempty"`      // of its peer
	Remote        string     `json:"remote"`                  // its peer's address
	Dialed        bool       `json:"dialed"`                  // else accepted
	State         string     `json:"state"`                   // in words
	Epoch         uint64     `json:"epoch"`                   // number of connections
	Opened        time.Time  `json:"opened"`                  // when it was made
	LastReceived  *time.Time `json:"last_received,omitempty"` // bytes, on this connection
	LastSent      *time.Time `json:"last_sent,omitempty"`     // bytes, on this connection
	Queued        int        `json:"queued"`                  // messages
	QueuedBytes   int        `json:"queued_bytes"`            // of their payload
	Unread        int        `json:"unread"`                  // messages
	UnreadBytes   int        `json:"unread_bytes"`            // of their payload
	Unacked       int        `json:"unacked"`                 // messages
	Received      uint64     `json:"received"`                // messages
	ReceivedBytes uint64     `json:"received_bytes"`          // of their payload
	Sent          uint64     `json:"sent"`                    // messages
	SentBytes     uint64     `json:"sent_bytes"`              // of their payload
	Dropped       uint64     `json:"dropped"`                 // messages
	LastError     string     `json:"last_error,omitempty"`    // in words

	// How full the buffers are, of 100; more if a single message takes more than there is room for.
	QueuedPercent int `json:"queued_percent"`
	UnreadPercent int `json:"unread_percent"` // of ReadBuffer
}

// entry is a session before it is known whether it is shown.
type entry struct {
	source  int
	session *session.Session
	stats   session.Stats
	idle    time.Duration
}

// forever is how long sessions are idle that have no connection: they come before all others.
const forever = time.Duration(math.MaxInt64)

// order is how sessions can be sorted.
type order struct {
	Name, Title string
	compare     func(a, b *entry) int
}

// orders are all of them: the first is the default.
var orders = []order{
	{"trouble", "most in trouble", func(a, b *entry) int {
		return cmp.Or(
			cmp.Compare(b.stats.QueuedBytes, a.stats.QueuedBytes),
			cmp.Compare(b.stats.UnreadBytes, a.stats.UnreadBytes),
			cmp.Compare(b.idle, a.idle))
	}},
	{"queued", "most queued", func(a, b *entry) int {
		return cmp.Or(cmp.Compare(b.stats.QueuedBytes, a.stats.QueuedBytes), cmp.Compare(b.stats.Queued, a.stats.Queued))
	}},
	{"unread", "most unread", func(a, b *entry) int {
		return cmp.Or(cmp.Compare(b.stats.UnreadBytes, a.stats.UnreadBytes), cmp.Compare(b.stats.Unread, a.stats.Unread))
	}},
	{"idle", "silent for longest", func(a, b *entry) int { return cmp.Compare(b.idle, a.idle) }},
	{"received", "most received", func(a, b *entry) int { return cmp.Compare(b.stats.ReceivedBytes, a.stats.ReceivedBytes) }},
	{"sent", "most sent", func(a, b *entry) int { return cmp.Compare(b.stats.SentBytes, a.stats.SentBytes) }},
	{"dropped", "most dropped", func(a, b *entry) int { return cmp.Compare(b.stats.Dropped, a.stats.Dropped) }},
	{"connections", "most connections", func(a, b *entry) int { return cmp.Compare(b.stats.Epoch, a.stats.Epoch) }},
	{"name", "name", func(a, b *entry) int { return cmp.Compare(a.session.Name(), b.session.Name()) }},
	{"newest", "newest", func(a, b *entry) int { return b.stats.Opened.Compare(a.stats.Opened) }},
	{"oldest", "oldest", func(a, b *entry) int { return a.stats.Opened.Compare(b.stats.Opened) }},
}

// states are those that can be chosen; those that have closed are on a page of their own.
var states = []session.State{session.StateConnecting, session.StateConnected, session.StateDisconnected}

// listOf returns the sessions that a query asks for. The error says what is wrong with it.
func listOf(sources []Source, v url.Values) (list, error) {
	l := list{
		Sort: cmp.Or(v.Get("sort"), orders[0].Name), State: v.Get("state"), Name: v.Get("name"),
		Search: v.Get("q"), search: strings.ToLower(v.Get("q")), Sessions: []Row{}, query: v,
	}
	by := slices.IndexFunc(orders, func(o order) bool { return o.Name == l.Sort })
	if by < 0 {
		return l, fmt.Errorf("sort is %q, want one of %s", l.Sort, names(orders, func(o order) string { return o.Name }))
	}
	if l.State != "" && !slices.ContainsFunc(states, func(s session.State) bool { return s.String() == l.State }) {
		return l, fmt.Errorf("state is %q, want one of %s", l.State, names(states, session.State.String))
	}
	var err error
	if l.Offset, err = number(v, "offset", 0, 0, maxOffset); err != nil {
		return l, err
	}
	if l.Limit, err = number(v, "limit", defaultLimit, 1, maxLimit); err != nil {
		return l, err
	}
	found := l.find(sources)
	slices.SortFunc(found, func(a, b *entry) int {
		return cmp.Or(orders[by].compare(a, b), cmp.Compare(a.source, b.source), cmp.Compare(a.session.ID(), b.session.ID()))
	})
	l.Matching = len(found)
	for _, e := range found[min(l.Offset, len(found)):min(l.Offset+l.Limit, len(found))] {
		row := rowOf(e)
		row.Identity, row.LastError = clipped(row.Identity), clipped(row.LastError)
		l.Sessions = append(l.Sessions, row)
	}
	return l, nil
}

// find returns the sessions that match, and counts all.
func (l *list) find(sources []Source) (found []*entry) {
	now := time.Now()
	for i, source := range sources {
		for s := range source.Sessions() {
			l.Total++
			if l.matches(s) {
				e := &entry{source: i, session: s, stats: s.Stats()}
				e.idle = idle(&e.stats, now)
				found = append(found, e)
			}
		}
	}
	return found
}

// matches reports whether a session is one of those that were asked for.
func (l *list) matches(s *session.Session) bool {
	if l.Name != "" && s.Name() != l.Name || l.State != "" && s.State().String() != l.State {
		return false
	}
	if l.search == "" {
		return true
	}
	for _, text := range []string{s.RemoteAddr().String(), identityOf(s), s.Name()} {
		if strings.Contains(strings.ToLower(text), l.search) {
			return true
		}
	}
	return false
}

// identityOf returns who the peer is: as Identify has found, or else the subject of its certificate.
func identityOf(s *session.Session) string {
	if id := s.Identity(); id != "" {
		return id
	}
	if state, speaks := s.TLS(); speaks && len(state.PeerCertificates) > 0 {
		return state.PeerCertificates[0].Subject.String()
	}
	return ""
}

// idle returns for how long nothing was received, nor sent.
func idle(st *session.Stats, now time.Time) time.Duration {
	last := st.LastReceived
	if st.LastSent.After(last) {
		last = st.LastSent
	}
	if last.IsZero() {
		return forever
	}
	return max(0, now.Sub(last))
}

func rowOf(e *entry) Row {
	s, st, cfg := e.session, &e.stats, session.Drive(e.session).Config()
	r := rowOfStats(st)
	r.Source, r.ID, r.Name, r.Identity, r.Remote = e.source, s.ID(), s.Name(), identityOf(s), s.RemoteAddr().String()
	r.Dialed, r.State = session.Drive(s).Dialed(), s.State().String()
	r.QueuedPercent = percent(&cfg.WriteBuffer, st.Queued, st.QueuedBytes)
	r.UnreadPercent = percent(&cfg.ReadBuffer, st.Unread, st.UnreadBytes)
	return r
}

// rowOfStats returns the figures of a row.
func rowOfStats(st *session.Stats) Row {
	return Row{
		Epoch: st.Epoch, Opened: st.Opened, LastReceived: known(st.LastReceived), LastSent: known(st.LastSent),
		Queued: st.Queued, QueuedBytes: st.QueuedBytes, Unread: st.Unread, UnreadBytes: st.UnreadBytes,
		Unacked: st.Unacked, Received: st.Received, ReceivedBytes: st.ReceivedBytes,
		Sent: st.Sent, SentBytes: st.SentBytes, Dropped: st.Dropped, LastError: textOf(st.LastError),
	}
}

// clipped returns the beginning of a text.
func clipped(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + "…"
}

// known returns nothing for the zero time.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// percent returns how full a buffer is, by messages or bytes, whatever is more.
func percent(b *session.Buffer, messages, bytes int) int {
	full := 100 * max(float64(messages)/float64(max(1, b.Cap)), float64(bytes)/float64(max(1, b.Bytes)))
	return int(min(full, math.MaxInt32))
}

// number returns a parameter of a query, or its default.
func number(v url.Values, name string, otherwise, least, most int) (int, error) {
	text := v.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%s is %q, want a number from %d to %d", name, text, least, most)
	}
	return n, nil
}

// names returns what a parameter can be.
func names[T any](of []T, name func(T) string) string {
	var all []string
	for _, v := range of {
		all = append(all, name(v))
	}
	return strings.Join(all, ", ")
}
