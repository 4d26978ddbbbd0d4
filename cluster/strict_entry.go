package cluster

import (
	"context"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Entries of strict names: a stream that keeps the last message of each subject.

// kindLease begins a lease, which nodes hear of as of other messages; kindHolder begins who has a name.
const (
	kindLease  = 'L'
	kindHolder = 'N'
)

// nameEntry is who has a name.
type nameEntry struct {
	node          nodeID
	epoch, number uint64
}

func (e *nameEntry) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(append(b, kindHolder), uint64(e.node))
	return appendNumber(appendNumber(b, e.epoch), e.number)
}

// parseName parses what append has made. What is malformed is zero: a name of nobody.
func parseName(p []byte) (e nameEntry) {
	r := reader{p: p}
	kind := r.byte()
	e = nameEntry{r.node(), r.number(), r.number()}
	if r.bad || kind != kindHolder {
		return nameEntry{}
	}
	return e
}

// leaseEntry is that a node lives, or that an epoch of its has ended, which is for ever. Each renewal has
// a counter of its own.
type leaseEntry struct {
	node           nodeID
	epoch, counter uint64
	dead           bool
}

func (e *leaseEntry) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(append(b, kindLease), uint64(e.node))
	b = appendNumber(appendNumber(b, e.epoch), e.counter)
	if e.dead {
		return append(b, 1)
	}
	return append(b, 0)
}

// parseLease parses what append has made. What is malformed is zero: nobody's.
func parseLease(p []byte) (e leaseEntry) {
	r := reader{p: p}
	kind := r.byte()
	e = leaseEntry{node: r.node(), epoch: r.number(), counter: r.number()}
	dead := r.byte()
	if e.dead = dead == 1; r.bad || kind != kindLease || dead > 1 {
		return leaseEntry{}
	}
	return e
}

func strictPrefix(o *Options) string { return "netasync." + o.Cluster + ".strict." }

func newStrictStream(nc *nats.Conn, o *Options) *jetStream {
	j := &jetStream{nats: nc, name: "NETASYNCSTRICT_" + o.Cluster, prefix: strictPrefix(o) + "name."}
	j.config = jetstream.StreamConfig{
		Name: j.name, Description: "strict names of netasync", Subjects: []string{strictPrefix(o) + ">"},
		Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld,
		MaxMsgsPerSubject: 1, MaxMsgs: -1, MaxBytes: -1, MaxMsgSize: -1, MaxConsumers: -1,
		Duplicates: time.Second, // none has an ID
		Replicas:   o.Replicas,
	}
	return j
}

// leases is what the subjects of leases begin with.
func (j *jetStream) leases() string { return strings.TrimSuffix(j.prefix, "name.") + "node." }

// leaseSubject returns that of a node's lease.
func (j *jetStream) leaseSubject(id nodeID) string { return j.leases() + id.String() }

// put writes an entry after another one, whose sequence is expected; 0: there is none. It returns the
// sequence of the new one.
func (j *jetStream) put(ctx context.Context, subject string, data []byte, expected uint64) (uint64, error) {
	m, err := j.request(ctx, &nats.Msg{Subject: subject, Data: data, Header: nats.Header{
		nats.ExpectedLastSubjSeqHdr: []string{strconv.FormatUint(expected, 10)},
	}})
	if err != nil {
		return 0, err
	}
	var reply struct {
		Sequence uint64 `json:"seq"`
	}
	err = decode(m.Data, &reply)
	return reply.Sequence, err
}

// refused reports whether an entry surely was not written, and will not be.
func refused(err error) bool {
	var a *jetstream.APIError
	return errors.As(err, &a) || errors.Is(err, nats.ErrNoResponders)
}

// wrongSequence reports whether an entry was not written since another one was there.
func wrongSequence(err error) bool {
	c := code(err)
	return c == server.JSStreamWrongLastSequenceErrF || c == server.JSStreamWrongLastSequenceConstantErr
}

// remove removes an entry by its sequence; one that was written after it stays.
func (j *jetStream) remove(ctx context.Context, sequence uint64) error {
	return j.ask(ctx, "STREAM.MSG.DELETE."+j.name, struct {
		Sequence uint64 `json:"seq"`
		NoErase  bool   `json:"no_erase"`
	}{sequence, true}, nil)
}
