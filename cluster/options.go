// Package cluster makes many processes one place for sessions: a name is claimed by a session anywhere,
// and sent to from everywhere; rooms have members on all nodes; a peer that comes back to another node
// than its session's goes on exactly once. It stands on NATS, whose server is embedded unless the user
// has servers of his own.
//
//	node, err := cluster.Start(cluster.Options{Engine: engine})
//	listener, err := node.Listen(":8899", netasync.ListenOptions{Resume: true})
//	claim, err := node.Claim(ctx, "user/42", session, cluster.Replace)
//	err = node.Send(ctx, "user/42", payload)
//
// What is posted to a name is kept until a session has it, see [Node.Post].
//
// # Where to look
//
// directory.go and names.go are what a node knows of all nodes: pure data, and merge.go how it takes in
// what they say.
// replicate.go and sync.go keep it the same everywhere, by the messages of wire.go. claim.go and send.go are
// names, rooms.go and presence.go are rooms. listen.go, relay*.go, preface.go and strangers.go are for
// peers that come to another node than their session's. secret.go is what nodes know each other by, embed.go
// is the server, and node.go and shutdown.go are the beginning and the end. mailbox*.go are messages that
// are stored, and jetstream*.go is what stores them. strict.go is names that are unique everywhere:
// strict_win.go is how a node comes to have one, strict_lease.go for how long, and strict_entry.go and
// strict_waste.go are what is stored of them.
//
// stream.go is RemoteSession, and stream_route.go where its messages go: by a link to another node, or to
// an outlet, stream_owner.go, which is where the session is. links.go are a node's links, link.go is the
// end that dials, link_owner.go the other one, and stream_wire.go what they say; link_voice.go
// has the streams of a link speak in turns.
package cluster

import (
	"cmp"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"

	"github.com/netasync/netasync"
)

// Options configure a [Node]. Engine alone makes a node on its own, without a port.
type Options struct {
	// Engine is where the node's sessions live. It is the user's, and is shut down by him, after the node.
	Engine *netasync.Engine
	// Name is for people, in logs and in [Member]. Empty means the name of the host and random digits.
	Name string
	// Cluster tells clusters apart that share servers: letters, digits, - and _. Empty means "netasync".
	Cluster string

	// Listen is the address at which other nodes connect, host:port; port 0 chooses a free one. Empty
	// means that there are none.
	Listen string
	// Peers are addresses of other nodes: of some, as each tells the others. The node's own may be one.
	Peers []string
	// Relay is the address at which other nodes pass connections on, of peers whose sessions live here,
	// see [Node.Listen], and where streams come in, see [Node.Session]: host:port, and other nodes dial what it
	// says, so the host is to be one that they can reach. Empty means the host of Listen and the next port, or a free one if Listen has port 0;
	// with NATS it means none: then connections are not passed on to this node, and streams do not come in.
	Relay string
	// Advertise is the address at which peers themselves reach the first listener of [Node.Listen], host:port:
	// other nodes tell it to peers whose sessions have begun there, and that go where they are told, see
	// netasync.ConnectOptions.FollowRedirect. Sessions of further listeners are passed on, and so are peers
	// that do not follow, or come back because the address was of no use to them. It has 250 bytes at most,
	// and with TLS the listener's certificate has to be good for its host. Nodes do not dial it. Empty means
	// that all are passed on, as is right behind a load balancer, where no address is one node's.
	Advertise string
	// Secret is what all nodes of the cluster know, at least 16 bytes of it, better 32 random ones: routes
	// between nodes speak TLS, with certificates that are made from it. It is required unless all
	// addresses are of the loopback interface.
	Secret string
	// TLS replaces what is made from Secret for connections between nodes. It is used for both ends, and
	// should have ClientAuth: tls.RequireAndVerifyClientCert.
	TLS *tls.Config

	// NATS is a connection to the user's own servers. Then nothing is embedded, Listen and Peers are to be
	// empty, and Secret and TLS are for Relay alone. The connection stays the user's. It should have
	// RetryOnFailedConnect, MaxReconnects(-1), PingInterval(2s), and a short ReconnectWait.
	NATS *nats.Conn

	// MaxRelayed is how many connections this node passes on to others at the same time, 0 means 10,000. Each
	// takes two descriptors, and on Linux four more, of pipes through which the kernel copies. Beyond it a
	// peer that comes back here has a new session.
	MaxRelayed int

	// Dir is where the embedded server keeps mailboxes, see [Node.Post]; it is made if it is not there.
	// Empty means that there are none. It is of one node of one cluster, and of one process at a time. With
	// Listen all nodes need one of their own, and Peers, which should be all nodes, this one too: mailboxes
	// begin when a majority of Peers, and two at least, have met, and from then on need a majority of all
	// nodes that ever came, by their Dirs.
	Dir string
	// Mailboxes has them kept by the servers of NATS, in a stream NETASYNC_ and the name of the cluster.
	// Dir alone says so for an embedded server.
	Mailboxes bool
	// Replicas is how many servers keep each message, 1 to 5; 0 means 3. Where there are fewer they grow in
	// number as nodes come. 3 survive the death of one.
	Replicas int
	// MailboxAge is how long a message may wait before it is given up, 100 ms or more; 0 means 7 days.
	MailboxAge time.Duration
	// MailboxMessages is how many may wait for one name, and MailboxBytes how large all of them may be for
	// all names together, with some 100 bytes for each message; 0 means 10,000, and 1 GiB. What is beyond is
	// refused by ErrMailboxFull. These bounds and MailboxAge should be the same at all nodes: those of the
	// node that was started last hold.
	MailboxMessages int
	MailboxBytes    int64
	// MailboxSequence puts 8 bytes in front of each message of a mailbox: its number, big-endian, which
	// grows from message to message, so that a peer can leave out one that it had before.
	MailboxSequence bool
	// Strict has names stored where the mailboxes are, which it needs: then a name stands for one session
	// alone, also where parts of a cluster have lost each other, and Claim waits for a majority of the
	// servers, see [Node.Claim]. It should be the same at all nodes.
	Strict bool
	// StrictLease is how long the names of a node that is dead or cut off stay its own at most, 1 s or more;
	// 0 means 15 s. A node that cannot renew its lease for four fifths of it closes its sessions that have
	// names. Less than 10 s does not outlast the election of a new leader of the servers: then all nodes may
	// lose their names at once. It is to be the same at all nodes.
	StrictLease time.Duration
	mailPoll    time.Duration // how often a node looks for what nobody has told of; 0: pollEvery

	// Logger gets a line for each node that comes or goes, and what the embedded server has to say; nil is
	// silent.
	Logger *slog.Logger
}

const minSecret = 16 // bytes

var clusterName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// resolve validates the options, and fills in defaults.
func (o Options) resolve() (Options, error) {
	if o.Engine == nil {
		return o, errors.New("cluster: Engine is nil")
	}
	o.Cluster = cmp.Or(o.Cluster, "netasync")
	if !clusterName.MatchString(o.Cluster) {
		return o, fmt.Errorf("cluster: Cluster is %q, want letters, digits, - and _, at most 64", o.Cluster)
	}
	if o.Name == "" {
		var random [4]byte
		_, _ = rand.Read(random[:]) // it does not fail
		host, _ := os.Hostname()
		o.Name = cmp.Or(host, "node") + "-" + hex.EncodeToString(random[:])
	}
	if !utf8.ValidString(o.Name) || len(o.Name) > maxText {
		return o, fmt.Errorf("cluster: Name is %q, want UTF-8, at most %d bytes", o.Name, maxText)
	}
	if o.MaxRelayed < 0 {
		return o, fmt.Errorf("cluster: MaxRelayed is %d, want 0 or more", o.MaxRelayed)
	}
	o.MaxRelayed = cmp.Or(o.MaxRelayed, 10_000)
	o.Peers = slices.Clone(o.Peers)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if err := o.resolveMailboxes(); err != nil {
		return o, err
	}
	if err := o.resolveStrict(); err != nil {
		return o, err
	}
	return o, o.checkNetwork()
}

// checkNetwork validates what has to do with other nodes.
func (o *Options) checkNetwork() error {
	if o.NATS != nil {
		if o.Listen != "" || len(o.Peers) > 0 {
			return errors.New("cluster: NATS is set, and so is Listen or Peers")
		}
	}
	if o.Listen == "" && len(o.Peers) > 0 {
		return errors.New("cluster: Peers is set without Listen")
	}
	if err := o.resolveRelay(); err != nil {
		return err
	}
	if o.Advertise != "" && !goodAdvertise(o.Advertise) {
		return fmt.Errorf("cluster: Advertise is %q, want host:port that peers can reach, at most %d bytes", o.Advertise, maxAdvertise)
	}
	loopback := true
	for i, addr := range append([]string{o.Listen, o.Relay}, o.Peers...) {
		if i < 2 && addr == "" {
			continue
		}
		host, _, err := splitPort(addr)
		if err != nil {
			field := []string{"Listen", "Relay"}[min(i, 1)]
			if i > 1 {
				field = fmt.Sprintf("Peers[%d]", i-2)
			}
			return fmt.Errorf("cluster: %s: %w", field, err)
		}
		ip := net.ParseIP(host)
		loopback = loopback && (host == "localhost" || ip != nil && ip.IsLoopback())
	}
	switch {
	case o.Secret != "" && len(o.Secret) < minSecret:
		return fmt.Errorf("cluster: Secret has %d bytes, want %d or more", len(o.Secret), minSecret)
	case o.Secret == "" && o.TLS == nil && !loopback:
		return errors.New("cluster: Secret is empty, and an address is not of the loopback interface")
	}
	return nil
}

// maxAdvertise is the longest address in bytes that a peer can be told.
const maxAdvertise = 250

var advertisedHost = regexp.MustCompile(`^[A-Za-z0-9._:%-]+$`)

// goodAdvertise reports whether an address is one that peers can be told.
func goodAdvertise(addr string) bool {
	host, text, err := net.SplitHostPort(addr)
	port, notPort := strconv.ParseUint(text, 10, 16)
	ip := net.ParseIP(host)
	return err == nil && notPort == nil && port > 0 && len(addr) <= maxAdvertise && advertisedHost.MatchString(host) &&
		host != "unix" && (ip == nil || !ip.IsUnspecified())
}

// resolveRelay fills in Relay.
func (o *Options) resolveRelay() error {
	if o.Relay == "" && o.Listen != "" {
		host, port, err := net.SplitHostPort(o.Listen)
		if err != nil {
			return fmt.Errorf("cluster: Listen: %w", err)
		}
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil || number == 65535 {
			return fmt.Errorf("cluster: Listen: port %q, want 0 to 65534 where Relay is the next one", port)
		}
		if number > 0 {
			number++
		}
		o.Relay = net.JoinHostPort(host, strconv.FormatUint(number, 10))
	}
	if host, _, err := net.SplitHostPort(o.Relay); o.Relay != "" && err == nil {
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			return fmt.Errorf("cluster: Relay is %q, want a host that other nodes can reach", o.Relay)
		}
	}
	return nil
}
