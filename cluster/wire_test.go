package cluster

import (
	"bytes"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
)

var someEntries = []entry{
	{kind: kindName, key: "user/42", session: 7, clock: 1 << 50},
	{kind: kindMember, key: "room", session: 1, name: "ada", meta: strings.Repeat("m", maxMeta)},
}

func someDelta() *delta {
	return &delta{node: 9, first: 3, changes: []change{{entry: someEntries[0]}, {entry: someEntries[1], gone: true}}}
}

func someDigest() *digest {
	return &digest{node: 9, name: "a", relay: "10.0.0.1:1", changes: 5, clock: 6, sum: 1 << 63, advertise: "b:1"}
}

func somePreface() *preface {
	return &preface{door: 258, hello: []byte("hello"), ConnInfo: netasync.ConnInfo{
		Remote: &net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 9}, Identity: "CN=ada", Secure: true,
	}}
}

// What was written is read as it was; nothing of a message that was cut off is.
func TestMessages(t *testing.T) {
	d, err := parseDelta(someDelta().append(nil))
	require.NoError(t, err)
	require.Equal(t, *someDelta(), d)
	g, err := parseDigest(someDigest().append(nil))
	require.NoError(t, err)
	require.Equal(t, *someDigest(), g)
	want := page{node: 9, changes: 5, from: 2, entries: someEntries}
	p, err := parsePage(want.append(nil))
	require.NoError(t, err)
	require.Equal(t, want, p)
	for n := range len(someDigest().append(nil)) {
		_, err = parseDigest(someDigest().append(nil)[:n])
		require.ErrorIs(t, err, errMalformed)
	}
	_, err = parseDelta((&delta{node: 9, changes: someDelta().changes}).append(nil))
	require.ErrorIs(t, err, errMalformed, "the first change has the number 1")
	_, err = parsePage(append((&page{node: 9}).append(nil), (&change{entry: someEntries[0], gone: true}).append(nil)...))
	require.ErrorIs(t, err, errMalformed, "it has no entries that are gone")
	for _, h := range []holder{{}, {node: 1, session: 2, clock: 3}} {
		answer, next := parseAnswer(h.append([]byte{answerGone}))
		require.Equal(t, byte(answerGone), answer)
		require.Equal(t, h, next)
	}
}

// The addresses of a preface are of the kinds that they were.
func TestPreface(t *testing.T) {
	for _, remote := range []net.Addr{
		&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1).To4(), Port: 7}, &net.TCPAddr{IP: net.ParseIP("fe80::1"), Port: 7, Zone: "eth0"},
		&net.UnixAddr{Net: "unix", Name: "@"}, &net.UnixAddr{Net: "unix"}, spoken{"pipe", "pipe"},
	} {
		want := somePreface()
		want.Remote = remote
		got, err := readPreface(bytes.NewReader(want.append(nil)))
		require.NoError(t, err)
		require.Equal(t, *want, got)
	}
}

func FuzzDelta(f *testing.F) {
	f.Add(someDelta().append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := parseDelta(b); err == nil {
			again, err := parseDelta(d.append(nil))
			require.NoError(t, err)
			require.Equal(t, d, again)
		}
	})
}

func FuzzDigest(f *testing.F) {
	f.Add(someDigest().append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := parseDigest(b); err == nil {
			again, err := parseDigest(d.append(nil))
			require.NoError(t, err)
			require.Equal(t, d, again)
		}
	})
}

func FuzzPage(f *testing.F) {
	f.Add((&page{node: 1, changes: 2, from: 1, entries: someEntries}).append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := parsePage(b); err == nil {
			again, err := parsePage(p.append(nil))
			require.NoError(t, err)
			require.Equal(t, p, again)
		}
	})
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte{answerQueued})
	f.Add(holder{1, 2, 3}.append([]byte{answerGone}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if answer, next := parseAnswer(b); next != (holder{}) {
			a, n := parseAnswer(next.append([]byte{answer}))
			require.Equal(t, []any{answer, next}, []any{a, n})
		}
	})
}

// All that a directory is told may be nonsense.
func FuzzHear(f *testing.F) {
	f.Add(someDelta().append(nil), someDigest().append(nil))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		directory := newDirectory(1)
		directory.own(change{entry: someEntries[0]})
		for _, m := range [][]byte{a, b, a} {
			if g, err := parseDigest(m); err == nil {
				directory.heard(g, time.Unix(1, 0))
			}
			if d, err := parseDelta(m); err == nil {
				directory.changed(d)
			}
			if p, err := parsePage(m); err == nil {
				directory.synced(p.node, p.changes, p.entries)
			}
		}
		require.Len(t, directory.nodes[1].entries, 1, "what others say is not said by this node")
		checkIndexes(t, directory)
	})
}

func FuzzPreface(f *testing.F) {
	f.Add(somePreface().append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := readPreface(bytes.NewReader(b))
		if err != nil {
			return
		}
		again, err := readPreface(bytes.NewReader(p.append(nil)))
		if err == nil { // a text may have become longer
			require.Equal(t, p.hello, again.hello)
			require.Equal(t, p.Remote.String(), again.Remote.String())
		}
	})
}

// A node that says whatever it likes takes a bounded amount of memory.
func TestLiars(t *testing.T) {
	d := newDirectory(1)
	now := time.Unix(1, 0)
	d.changed(delta{node: 2, first: 1, changes: []change{{entry: someEntries[0]}}})
	require.Len(t, d.nodes, 1, "it has not said who it is")

	for id := range nodeID(3 * maxNodes) {
		d.heard(digest{node: id + 2}, now)
	}
	require.LessOrEqual(t, len(d.nodes), maxNodes+1)
	for _, id := range d.silent(now.Add(1)) {
		d.drop(id)
	}
	_, ask := d.heard(digest{node: 2, changes: 1 << 63, clock: 1<<64 - 1}, now)
	require.True(t, ask)
	for i := range uint64(10_000) { // behind a gap that is never filled
		d.changed(delta{node: 2, first: 1000 + i, changes: []change{{entry: someEntries[1]}}})
		d.changed(delta{node: 2, first: 1 << 62})
		require.LessOrEqual(t, len(d.nodes[2].waiting)*maxMeta, maxWaiting)
	}
	_, ask = d.heard(digest{node: 2, changes: 1 << 63}, now)
	require.False(t, ask, "it was asked already")

	require.True(t, d.claim("ada", 1, false, now))
	require.True(t, d.claim("ada", 2, false, now))
	h, _ := d.holder("ada")
	require.Equal(t, uint64(2), h.session, "the clock does not overflow")

	all, endless := pages{node: 2}, page{node: 2, entries: []entry{someEntries[1]}}
	for all.bytes < 5*maxEntries {
		if _, err := all.add(endless.append(nil)); err != nil {
			return
		}
		all.entries = nil // so that the test takes less
	}
	require.Fail(t, "a snapshot without an end")
}

// What is told about this node by others is not believed.
func TestSelfIsOurs(t *testing.T) {
	d := newDirectory(1)
	require.True(t, d.claim("ada", 1, true, time.Time{}))
	now := time.Unix(1, 0)
	isNew, ask := d.heard(digest{node: 1, changes: 100, name: "a liar"}, now)
	require.False(t, isNew || ask)
	d.changed(delta{node: 1, first: 2, changes: []change{{entry: d.nodes[1].entries[entryID{kindName, "ada", 1}], gone: true}}})
	d.synced(1, 100, nil)
	_, dropped := d.drop(1)
	require.False(t, dropped)
	h, held := d.holder("ada")
	require.True(t, held)
	require.Equal(t, nodeID(1), h.node)
	require.Empty(t, d.nodes[1].name)
}

// A node that slept does not think that the others fell silent, and finds those that do later.
func TestExcuse(t *testing.T) {
	d := newDirectory(1)
	start := time.Unix(1000, 0)
	d.heard(digest{node: 2}, start)
	woke := start.Add(time.Hour)
	d.heard(digest{node: 3}, woke.Add(-time.Millisecond)) // before the clock was looked at
	d.excuse(time.Hour, woke)
	require.Empty(t, d.silent(woke.Add(-missed*beat)))
	require.Len(t, d.silent(woke.Add(missed*beat+1).Add(-missed*beat)), 2)
}

// A claim of a node that has just started wins against an older one, unless it was made with Refuse.
func TestClocksAfterStart(t *testing.T) {
	old, fresh := newDirectory(1), newDirectory(2)
	now := time.Unix(1_000_000, 0)
	for range 100 {
		old.claim("ada", 1, false, now)
	}
	fresh.claim("ada", 2, false, now.Add(time.Second))
	a, _ := old.holder("ada")
	b, _ := fresh.holder("ada")
	require.True(t, b.over(a))
	third := newDirectory(3)
	third.claim("ada", 3, true, now.Add(time.Hour))
	c, _ := third.holder("ada")
	require.True(t, a.over(c))
}
