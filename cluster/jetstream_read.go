package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

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
// behind it come from any replica, where the way is short: one that lags has fewer of them, but no others,
// since what is deleted is in front. They are asked for one by one: for a batch JetStream counts what is
// behind it, by looking at all messages of a file.
func (j *jetStream) read(ctx context.Context, name string, from uint64, most int) (
	batch []letter, last uint64, err error,
) {
	subject := j.subject(name)
	l, found, err := j.get(ctx, getRequest{Sequence: from, Next: subject})
	if err != nil || !found {
		return nil, 0, err
	}
	end, found, err := j.get(ctx, getRequest{Last: subject})
	if err != nil || !found { // it has just grown too old
		return nil, 0, err
	}
	for size := 0; found; {
		batch = append(batch, l)
		size += len(l.payload)
		if len(batch) >= most || size >= batchBytes || l.sequence >= end.sequence {
			break
		}
		l, found, err = j.getAnywhere(ctx, getRequest{Sequence: l.sequence + 1, Next: subject})
		if err != nil {
			return batch, end.sequence, ctx.Err() // the next read brings the rest
		}
	}
	return batch, end.sequence, nil
}

// getAnywhere is get that asks any replica.
func (j *jetStream) getAnywhere(ctx context.Context, request getRequest) (l letter, found bool, err error) {
	data, err := json.Marshal(request)
	if err != nil {
		return l, false, err
	}
	m, err := j.request(ctx, &nats.Msg{Subject: "$JS.API.DIRECT.GET." + j.name, Data: data})
	if err != nil {
		return l, false, err
	}
	switch status := m.Header.Get("Status"); status {
	case "":
		l.payload = m.Data
		l.sequence, err = strconv.ParseUint(m.Header.Get(nats.JSSequence), 10, 64)
		return l, err == nil, err
	case "404":
		return l, false, nil
	default:
		return l, false, fmt.Errorf("cluster: JetStream answers with status %.20q", status)
	}
}

// purge deletes all messages for a name up to a sequence. It may be done again.
func (j *jetStream) purge(ctx context.Context, name string, upTo uint64) error {
	return j.ask(ctx, "STREAM.PURGE."+j.name, struct {
		Subject  string `json:"filter"`
		Sequence uint64 `json:"seq"` // not including
	}{j.subject(name), upTo + 1}, nil)
}
