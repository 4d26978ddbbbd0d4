package cluster

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Mailboxes are one stream, whose subjects are names. There is no consumer: each costs a Raft group, and
// servers bear some thousands of them. Messages are read one after the other by their sequences, and
// deleted when they have arrived.

const (
	// askPatience is for one request. JetStream does not answer at all while it has no leader, and begins
	// to without telling: so each request is short, and made again.
	askPatience = time.Second
	// retryFirst and retryMost are the pauses between requests.
	retryFirst = 10 * time.Millisecond
	retryMost  = 250 * time.Millisecond
	// syncEvery is how often files are synced to the disk.
	syncEvery = time.Second
	// duplicates is for how long the stream knows a message again that is stored once more.
	duplicates = 2 * time.Minute
)

// jetStream is the stream of mailboxes.
type jetStream struct {
	nats   *nats.Conn
	name   string
	prefix string // of subjects
	config jetstream.StreamConfig
}

func newJetStream(nc *nats.Conn, o *Options) *jetStream {
	j := &jetStream{nats: nc, name: "NETASYNC_" + o.Cluster, prefix: "netasync." + o.Cluster + ".mail."}
	j.config = jetstream.StreamConfig{
		Name: j.name, Description: "mailboxes of netasync", Subjects: []string{j.prefix + "*"},
		Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, AllowDirect: true,
		Discard: jetstream.DiscardNew, DiscardNewPerSubject: true,
		MaxAge: o.MailboxAge, MaxBytes: o.MailboxBytes, MaxMsgsPerSubject: int64(o.MailboxMessages),
		Duplicates: min(duplicates, o.MailboxAge), MaxMsgs: -1, MaxMsgSize: -1, MaxConsumers: -1,
		Replicas: o.Replicas,
	}
	return j
}

// addJetStream has the embedded server keep files. What the stream may take is bounded by its own
// options.
func addJetStream(so *server.Options, o *Options) {
	so.JetStream, so.StoreDir = true, filepath.Join(o.Dir, "data")
	so.JetStreamMaxMemory, so.JetStreamMaxStore = 64<<20, 1<<50
	so.SyncInterval, so.DisableJetStreamBanner = syncEvery, true
}

// subject returns that of a name, which may have any characters.
func (j *jetStream) subject(name string) string {
	return j.prefix + base64.RawURLEncoding.EncodeToString([]byte(name))
}

// answer is what all answers have.
type answer struct {
	Error *jetstream.APIError `json:"error"`
}

// ask makes one request of JetStream's interface, and reads the answer into reply, unless that is nil.
func (j *jetStream) ask(ctx context.Context, what string, request, reply any) error {
	var data []byte
	if request != nil {
		var err error
		if data, err = json.Marshal(request); err != nil {
			return err
		}
	}
	m, err := j.request(ctx, &nats.Msg{Subject: "$JS.API." + what, Data: data})
	if err != nil {
		return err
	}
	return decode(m.Data, reply)
}

// request waits for the answer to one message.
func (j *jetStream) request(ctx context.Context, m *nats.Msg) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	return j.nats.RequestMsgWithContext(ctx, m)
}

// decode reads an answer, and returns the error that it may be.
func decode(data []byte, reply any) error {
	var a answer
	if err := json.Unmarshal(data, &a); err != nil {
		return fmt.Errorf("cluster: JetStream: %w", err)
	}
	if a.Error != nil {
		return a.Error
	}
	if reply == nil {
		return nil
	}
	return json.Unmarshal(data, reply)
}

// code returns the code of an error that JetStream has answered, or 0.
func code(err error) server.ErrorIdentifier {
	var a *jetstream.APIError
	if errors.As(err, &a) {
		return server.ErrorIdentifier(a.ErrorCode)
	}
	return 0
}

// unanswered reports whether a request may have been carried out though there was no answer.
func unanswered(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		errors.Is(err, nats.ErrTimeout)
}

// temporary reports whether a request may go better when it is made again.
func temporary(err error) bool {
	var a *jetstream.APIError
	if !errors.As(err, &a) {
		return unanswered(err) || errors.Is(err, nats.ErrNoResponders)
	}
	switch code(err) {
	case server.JSClusterNotLeaderErr, server.JSStreamDuplicateMessageConflict, server.JSStreamNotFoundErr,
		server.JSStreamNameExistErr: // with other options: somebody else has made it
		return true
	case server.JSStreamStoreFailedF, server.JSInsufficientResourcesErr:
		return false
	}
	return a.Code == 503
}

// ensure makes the stream, or gives it our options. It asks once.
func (j *jetStream) ensure(ctx context.Context, replicas int) error {
	var info jetstream.StreamInfo
	err := j.ask(ctx, "STREAM.INFO."+j.name, nil, &info)
	switch {
	case err == nil:
		config := j.config
		config.Replicas = info.Config.Replicas // last has them grow
		return j.ask(ctx, "STREAM.UPDATE."+j.name, &config, nil)
	case code(err) != server.JSStreamNotFoundErr:
		return err
	}
	for ; ; replicas-- { // as far as there are servers
		config := j.config
		config.Replicas = replicas
		err = j.ask(ctx, "STREAM.CREATE."+j.name, &config, nil)
		if err == nil || replicas == 1 || !tooFew(err) {
			return err
		}
	}
}

// tooFew reports whether there are not enough servers for the replicas.
func tooFew(err error) bool {
	switch code(err) {
	case server.JSClusterNoPeersErrF, server.JSInsufficientResourcesErr, server.JSStreamReplicasNotSupportedErr:
		return true
	}
	return false
}

// last returns the sequence of the last message of the stream. A stream that has fewer replicas than
// there should be gets them.
func (j *jetStream) last(ctx context.Context, replicas int) (uint64, error) {
	var info jetstream.StreamInfo
	if err := j.ask(ctx, "STREAM.INFO."+j.name, nil, &info); err != nil {
		return 0, err
	}
	if info.Config.Replicas < replicas {
		info.Config.Replicas = replicas
		if err := j.ask(ctx, "STREAM.UPDATE."+j.name, &info.Config, nil); err != nil && !tooFew(err) {
			return 0, err
		}
	}
	return info.State.LastSeq, nil
}

// describe returns what JetStream says of an error.
func describe(err error) string {
	var a *jetstream.APIError
	if errors.As(err, &a) {
		return a.Description
	}
	return ""
}
