package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// letter is a message in a mailbox.
type letter struct {
	sequence uint64
	payload  []byte
}

const (
	// batchMessages and batchBytes bound what is read at once, and what is under way to a session. One
	// message may be larger.
	batchMessages = 128
	batchBytes    = 256 << 10
)

// getRequest asks for messages: for the next one of a subject from a sequence on, or for its last one.
type getRequest struct {
	Sequence uint64 `json:"seq,omitempty"`
	Next     string `json:"next_by_subj,omitempty"`
	Last     string `json:"last_by_subj,omitempty"`
	Batch    int    `json:"batch,omitempty"`
	MaxBytes int    `json:"max_bytes,omitempty"`
}

// get asks the leader of the stream for a message, which is the only server that surely knows it.
func (j *jetStream) get(ctx context.Context, request getRequest) (l letter, found bool, err error) {
	var reply struct {
		Message struct {
			Sequence uint64 `json:"seq"`
			Data     []byte `json:"data"`
		} `json:"message"`
	}
	err = j.ask(ctx, "STREAM.MSG.GET."+j.name, request, &reply)
	if code(err) == server.JSNoMessageFoundErr {
		return l, false, nil
	}
	return letter{reply.Message.Sequence, reply.Message.Data}, err == nil, err
}

// read returns messages for a name, from a sequence on: at most so many, and none only if there are
// none; and the sequence of the last one that there is. The leader says which is the first one. Those
// behind it come from any replica in one batch: one that lags has fewer of them, but no others, since what
// is deleted is in front.
func (j *jetStream) read(ctx context.Context, in *inbox, name string, from uint64, most int) (
	batch []letter, last uint64, err error,
) {
	first, found, err := j.get(ctx, getRequest{Sequence: from, Next: j.subject(name)})
	if err != nil || !found {
		return nil, 0, err
	}
	end, found, err := j.get(ctx, getRequest{Last: j.subject(name)})
	if err != nil || !found { // it has just grown too old
		return nil, 0, err
	}
	batch = []letter{first}
	if most == 1 || end.sequence <= first.sequence || len(first.payload) >= batchBytes {
		return batch, end.sequence, nil
	}
	more, err := in.read(ctx, "$JS.API.DIRECT.GET."+j.name, getRequest{
		Sequence: first.sequence + 1, Next: j.subject(name), Batch: most - 1, MaxBytes: batchBytes - len(first.payload),
	})
	if err != nil {
		err = ctx.Err() // else the next read brings the rest
	}
	return append(batch, more...), end.sequence, err
}

// purge deletes all messages for a name up to a sequence. It may be done again.
func (j *jetStream) purge(ctx context.Context, name string, upTo uint64) error {
	return j.ask(ctx, "STREAM.PURGE."+j.name, struct {
		Subject  string `json:"filter"`
		Sequence uint64 `json:"seq"` // not including
	}{j.subject(name), upTo + 1}, nil)
}

// inbox is where batches come to, one at a time.
type inbox struct {
	nats *nats.Conn
	sub  *nats.Subscription
	in   chan *nats.Msg
	base string
	made uint64 // requests
}

func newInbox(nc *nats.Conn) (*inbox, error) {
	in := &inbox{nats: nc, in: make(chan *nats.Msg, 2*batchMessages), base: nats.NewInbox() + "."}
	var err error
	in.sub, err = nc.ChanSubscribe(in.base+"*", in.in)
	return in, err
}

// read reads a batch, and returns what has come of it without a gap: what answers is not sent again if a
// route breaks. Answers to requests before, which have come too late, are left out.
func (in *inbox) read(ctx context.Context, subject string, request getRequest) (batch []letter, err error) {
	data, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	in.made++
	reply := in.base + strconv.FormatUint(in.made, 10)
	if err = in.nats.PublishRequest(subject, reply, data); err != nil {
		return nil, err
	}
	timer := time.NewTimer(askPatience)
	defer timer.Stop()
	before := uint64(0) // as each answer says which one it follows
	for {
		select {
		case m := <-in.in:
			if m.Subject != reply {
				continue
			}
			if status := m.Header.Get("Status"); status != "" {
				return batch, statusError(status)
			}
			l := letter{payload: m.Data}
			if l.sequence, err = strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64); err != nil {
				return batch, err
			}
			if m.Header.Get("Nats-Last-Sequence") != strconv.FormatUint(before, 10) {
				return batch, errGap
			}
			batch, before = append(batch, l), l.sequence
		case <-timer.C:
			return batch, nats.ErrTimeout
		case <-ctx.Done():
			return batch, ctx.Err()
		}
	}
}

var errGap = errors.New("cluster: JetStream: a message of a batch is missing")

// statusError says what the end of a batch is.
func statusError(status string) error {
	switch status {
	case "204", "404": // no more, none
		return nil
	case "503":
		return nats.ErrNoResponders
	}
	return errors.New("cluster: JetStream answers with status " + status)
}
