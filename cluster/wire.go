package cluster

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
)

// What nodes say to each other: numbers are varints, texts have their length in front.

// nodeID is a node between its start and its end: a random number, so that a node that was started anew
// is another one.
type nodeID uint64

func (id nodeID) String() string {
	return hex.EncodeToString(binary.BigEndian.AppendUint64(nil, uint64(id)))
}

const (
	maxText = 1 << 10 // bytes of a name, a room and the like
	maxMeta = 4 << 10 // bytes
)

var errMalformed = errors.New("cluster: malformed message")

// Kinds of messages to all nodes.
const (
	kindDelta  = 'D' // changes of the sender's entries
	kindDigest = 'G' // how far they are: once a second, which says that it lives, too
	kindGone   = 'X' // the sender ends
	kindPosted = 'P' // a message is in the mailbox of the name that follows
)

// kindPage is a message to one node: a part of all entries of the sender.
const kindPage = 'S'

// Kinds of entries.
const (
	kindName   = 'n' // a session has claimed a name
	kindMember = 'm' // a session is in a room
)

// entry is what a node tells of a session that lives there.
type entry struct {
	kind    byte
	key     string // the name, or the room
	session uint64 // its ID at its node
	clock   uint64 // of a claim: the later one has a larger one
	name    string // of a member
	meta    string // of a member
}

// id is by what a node's entries are told apart.
func (e *entry) id() entryID { return entryID{e.kind, e.key, e.session} }

type entryID struct {
	kind    byte
	key     string
	session uint64
}

// change is an entry that was made, or that is no more.
type change struct {
	entry
	gone bool
}

// delta are changes of a node's entries: the first has the number first, the next one more.
type delta struct {
	node    nodeID
	first   uint64
	changes []change
}

// digest is how far a node's entries are.
type digest struct {
	node      nodeID
	name      string
	relay     string // where connections for its sessions are passed on to
	changes   uint64 // so far
	clock     uint64
	sum       uint64 // of the entries that are left by those changes, see entry.sum
	advertise string // where peers can reach it themselves
}

// page is a part of all entries of a node, as they were after so many changes. Parts come in order. The
// last one has no entries, so that its from says how many there are.
type page struct {
	node    nodeID
	changes uint64
	from    uint64 // how many entries came before
	entries []entry
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func (d *delta) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(append(b, kindDelta), uint64(d.node))
	b = binary.AppendUvarint(b, d.first)
	for i := range d.changes {
		b = d.changes[i].append(b)
	}
	return b
}

func (c *change) append(b []byte) []byte {
	flag := byte(0)
	if c.gone {
		flag = 1
	}
	b = appendText(append(b, flag, c.kind), c.key)
	b = binary.AppendUvarint(binary.AppendUvarint(b, c.session), c.clock)
	return appendText(appendText(b, c.name), c.meta)
}

func (d *digest) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(append(b, kindDigest), uint64(d.node))
	b = appendText(appendText(appendText(b, d.name), d.relay), d.advertise)
	b = binary.AppendUvarint(binary.AppendUvarint(b, d.changes), d.clock)
	return binary.BigEndian.AppendUint64(b, d.sum)
}

func (p *page) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(append(b, kindPage), uint64(p.node))
	b = binary.AppendUvarint(binary.AppendUvarint(b, p.changes), p.from)
	for i := range p.entries {
		b = (&change{entry: p.entries[i]}).append(b)
	}
	return b
}

// size is how many bytes an entry takes in a message, about.
func (e *entry) size() int { return len(e.key) + len(e.name) + len(e.meta) + 16 }

// size is how many bytes the changes take, about.
func (d *delta) size() (bytes int) {
	for i := range d.changes {
		bytes += d.changes[i].size()
	}
	return bytes
}

// sum is a number that stands for an entry (FNV-1a of its bytes). Two nodes whose sums of all entries of a
// node are the same have the same entries, save for an accident of 1 in 2^64.
func (e *entry) sum(scratch []byte) (sum uint64, bytes []byte) {
	sum, bytes = 14695981039346656037, (&change{entry: *e}).append(scratch)
	for _, c := range bytes {
		sum = (sum ^ uint64(c)) * 1099511628211
	}
	return sum, bytes
}

// reader reads a message. What is missing makes it bad, and zero.
type reader struct {
	p   []byte
	bad bool
}

func (r *reader) fail() { r.p, r.bad = nil, true }

func (r *reader) byte() (c byte) {
	if len(r.p) == 0 {
		r.fail()
		return 0
	}
	c, r.p = r.p[0], r.p[1:]
	return c
}

func (r *reader) node() nodeID { return nodeID(r.fixed()) }

// fixed reads a number of eight bytes.
func (r *reader) fixed() uint64 {
	if len(r.p) < 8 {
		r.fail()
		return 0
	}
	n := binary.BigEndian.Uint64(r.p)
	r.p = r.p[8:]
	return n
}

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.p)
	if size <= 0 {
		r.fail()
		return 0
	}
	r.p = r.p[size:]
	return n
}

func (r *reader) text(most uint64) string {
	n := r.number()
	if n > most || n > uint64(len(r.p)) {
		r.fail()
		return ""
	}
	s := string(r.p[:n])
	r.p = r.p[n:]
	return s
}

func (r *reader) change() change {
	flag := r.byte()
	c := change{gone: flag == 1}
	c.kind, c.key = r.byte(), r.text(maxText)
	c.session, c.clock = r.number(), r.number()
	c.name, c.meta = r.text(maxText), r.text(maxMeta)
	if flag > 1 || c.kind != kindName && c.kind != kindMember {
		r.fail()
	}
	return c
}

// parseDelta parses what delta.append has made.
func parseDelta(p []byte) (d delta, err error) {
	r := reader{p: p}
	if r.byte() != kindDelta {
		return d, errMalformed
	}
	d.node, d.first = r.node(), r.number()
	for len(r.p) > 0 {
		d.changes = append(d.changes, r.change())
	}
	if r.bad || d.first == 0 || d.first > math.MaxUint64-uint64(len(d.changes)) {
		return delta{}, errMalformed
	}
	return d, nil
}

// parseDigest parses what digest.append has made. What follows is room for later versions.
func parseDigest(p []byte) (d digest, err error) {
	r := reader{p: p}
	if r.byte() != kindDigest {
		return d, errMalformed
	}
	d.node, d.name, d.relay, d.advertise = r.node(), r.text(maxText), r.text(maxText), r.text(maxText)
	d.changes, d.clock, d.sum = r.number(), r.number(), r.fixed()
	if r.bad {
		return digest{}, errMalformed
	}
	return d, nil
}

// parsePage parses what page.append has made.
func parsePage(b []byte) (p page, err error) {
	r := reader{p: b}
	if r.byte() != kindPage {
		return p, errMalformed
	}
	p.node, p.changes, p.from = r.node(), r.number(), r.number()
	for len(r.p) > 0 {
		c := r.change()
		r.bad = r.bad || c.gone
		p.entries = append(p.entries, c.entry)
	}
	if r.bad {
		return page{}, errMalformed
	}
	return p, nil
}

func appendNumber(b []byte, n uint64) []byte { return binary.AppendUvarint(b, n) }
