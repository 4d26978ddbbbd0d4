package prom

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/netasync/netasync"
)

// The values of the label direction, of messages: those of network.io.direction in OpenTelemetry.
const (
	transmit = "transmit"
	receive  = "receive"
)

// family is what has one name. Its series differ in the values of the labels, and read their figure
// from a T.
type family[T any] struct {
	name   string
	kind   prometheus.ValueType
	help   string
	labels []string
	series []series[T]
}

// series has one value for each of the family's labels.
type series[T any] struct {
	labels []string
	value  func(*T) uint64
}

// of is a series.
func of[T any](value func(*T) uint64, labels ...string) series[T] { return series[T]{labels, value} }

// one is all series of a family that has no labels of its own.
func one[T any](value func(*T) uint64) []series[T] { return []series[T]{of(value)} }

// named are the families whose first label is the name of the sessions.
func named() []family[netasync.Totals] {
	return []family[netasync.Totals]{
		{
			"netasync_sessions", prometheus.GaugeValue,
			"Sessions that are open now. A disconnected one has no connection, and tries to get one if it is dialed. A detached one was accepted with Resume, and waits for its peer to come back.",
			[]string{"kind", "state"}, sessions(),
		}, {
			"netasync_connections_total", prometheus.CounterValue,
			"Connections that were made. A dialed session makes another one after each outage.",
			[]string{"kind"}, []series[netasync.Totals]{
				of(func(t *totals) uint64 { return t.DialedConnections }, "dialed"),
				of(func(t *totals) uint64 { return t.Connections - t.DialedConnections }, "accepted"),
			},
		}, {
			"netasync_disconnects_total", prometheus.CounterValue,
			"Connections that have ended, by reason. With shutdown this end has closed it, with eof the other one; heartbeat means that the peer was silent for too long.",
			[]string{"reason"}, disconnects(),
		}, {
			"netasync_dial_attempts_total", prometheus.CounterValue,
			"Attempts to connect that are over: they brought a connection, or failed.",
			[]string{"result"}, []series[netasync.Totals]{
				of(func(t *totals) uint64 { return t.DialedConnections }, "connected"),
				of(func(t *totals) uint64 { return t.FailedAttempts }, "failed"),
			},
		}, {
			"netasync_messages_total", prometheus.CounterValue,
			"Messages that were given to the operating system, or came from peers. With Resume a message counts each time that it is sent.",
			[]string{"direction"}, both(
				func(t *totals) uint64 { return t.Sent },
				func(t *totals) uint64 { return t.Received }),
		}, {
			"netasync_message_bytes_total", prometheus.CounterValue,
			"Bytes of payload that were sent and received in messages, without what frames and heartbeats take.",
			[]string{"direction"}, both(
				func(t *totals) uint64 { return t.SentBytes },
				func(t *totals) uint64 { return t.ReceivedBytes }),
		}, {
			"netasync_dropped_messages_total", prometheus.CounterValue,
			"Messages that were thrown away: a Dropping or Sliding buffer was full, Latest has replaced them, or the peer did not take them.",
			[]string{"direction"}, both(
				func(t *totals) uint64 { return t.Dropped - t.DroppedInbound },
				func(t *totals) uint64 { return t.DroppedInbound }),
		}, {
			"netasync_discarded_messages_total", prometheus.CounterValue,
			"Messages from WriteChan that could not be sent: empty, too large, after the end of the session, or during an outage with Refuse.",
			nil, one(func(t *totals) uint64 { return t.Discarded }),
		}, {
			"netasync_unsent_messages_total", prometheus.CounterValue,
			"Messages that were still queued when their session closed, and were never sent.",
			nil, one(func(t *totals) uint64 { return t.Unsent }),
		}, {
			"netasync_queue_messages", prometheus.GaugeValue,
			"Messages that wait now: to be sent, or for the program to read them.",
			[]string{"direction"}, both(
				func(t *totals) uint64 { return t.Queued },
				func(t *totals) uint64 { return t.Unread }),
		}, {
			"netasync_queue_bytes", prometheus.GaugeValue,
			"Bytes of the payload of the messages that wait now.",
			[]string{"direction"}, both(
				func(t *totals) uint64 { return t.QueuedBytes },
				func(t *totals) uint64 { return t.UnreadBytes }),
		}, {
			"netasync_unacked_messages", prometheus.GaugeValue,
			"Messages of sessions with Resume that were sent, and that the peer has not acknowledged yet.",
			nil, one(func(t *totals) uint64 { return t.Unacked }),
		}, {
			"netasync_resumes_total", prometheus.CounterValue,
			"Connections that went on where the one before had ended, with Resume.",
			nil, one(func(t *totals) uint64 { return t.Resumed }),
		}, {
			"netasync_lost_messages_total", prometheus.CounterValue,
			"Messages of sessions with Resume that may not have arrived: the peer had forgotten the session, or it closed before they were acknowledged.",
			nil, one(func(t *totals) uint64 { return t.Lost }),
		},
	}
}

// totals makes lines short.
type totals = netasync.Totals

// both are the series of the two directions.
func both[T any](out, in func(*T) uint64) []series[T] {
	return []series[T]{of(out, transmit), of(in, receive)}
}

// sessions are the series of the open sessions. The core counts those of one session at one instant, so
// none of the differences is below 0.
func sessions() []series[totals] {
	return []series[totals]{
		of(func(t *totals) uint64 { return uint64(t.DialedConnected) }, "dialed", "connected"),
		of(func(t *totals) uint64 { return uint64(t.Dialed - t.DialedConnected) }, "dialed", "disconnected"),
		of(func(t *totals) uint64 { return uint64(t.Connected - t.DialedConnected) }, "accepted", "connected"),
		of(func(t *totals) uint64 { return uint64(t.Detached) }, "accepted", "detached"),
		// These have lost their connection, or have not begun it.
		of(func(t *totals) uint64 {
			return uint64(t.Sessions - t.Dialed - (t.Connected - t.DialedConnected) - t.Detached)
		}, "accepted", "disconnected"),
	}
}

// disconnects are the series of the reasons.
func disconnects() (all []series[totals]) {
	for reason := range len(totals{}.Disconnects) {
		all = append(all, of(func(t *totals) uint64 { return t.Disconnects[reason] }, netasync.Reason(reason).String()))
	}
	return all
}

// unnamed are the families of whole engines.
func unnamed() []family[netasync.Stats] {
	return []family[netasync.Stats]{
		{
			"netasync_refused_connections_total", prometheus.CounterValue,
			"Incoming connections that did not become sessions, by reason: see the fields of netasync.Refusals.",
			[]string{"reason"}, refusals(),
		}, {
			"netasync_routed_connections_total", prometheus.CounterValue,
			"Incoming connections that were passed on to the engine where their session lives, or told to go there, see ListenOptions.Route.",
			nil, one(func(st *netasync.Stats) uint64 { return st.Routed }),
		}, {
			"netasync_loop_moves_total", prometheus.CounterValue,
			"Sessions that left their event loop because the program was slow to read (off), and that came back (back).",
			[]string{"direction"}, []series[netasync.Stats]{
				of(func(st *netasync.Stats) uint64 { return st.Left }, "off"),
				of(func(st *netasync.Stats) uint64 { return st.Returned }, "back"),
			},
		}, {
			"netasync_loops", prometheus.GaugeValue,
			"Event loops that run now, without those of gnet engines of the program's own.",
			nil, one(func(st *netasync.Stats) uint64 { return uint64(st.Loops) }),
		},
	}
}

// refusals are the series of the reasons to refuse a connection.
func refusals() []series[netasync.Stats] {
	by := func(value func(*netasync.Refusals) uint64, reason string) series[netasync.Stats] {
		return of(func(st *netasync.Stats) uint64 { return value(&st.RefusedBy) }, reason)
	}
	return []series[netasync.Stats]{
		by(func(r *netasync.Refusals) uint64 { return r.MaxSessions }, "max_sessions"),
		by(func(r *netasync.Refusals) uint64 { return r.MaxSessionsPerAddr }, "max_sessions_per_addr"),
		by(func(r *netasync.Refusals) uint64 { return r.MaxPending }, "max_pending"),
		by(func(r *netasync.Refusals) uint64 { return r.HandshakeTimeout }, "handshake_timeout"),
		by(func(r *netasync.Refusals) uint64 { return r.Handshake }, "handshake"),
		by(func(r *netasync.Refusals) uint64 { return r.Authorize }, "authorize"),
		by(func(r *netasync.Refusals) uint64 { return r.Identify }, "identify"),
		by(func(r *netasync.Refusals) uint64 { return r.AcceptFull }, "accept_full"),
		by(func(r *netasync.Refusals) uint64 { return r.Resume }, "resume"),
		by(func(r *netasync.Refusals) uint64 { return r.Undrained }, "undrained"),
		by(func(r *netasync.Refusals) uint64 { return r.Shutdown }, "shutdown"),
		by(func(r *netasync.Refusals) uint64 { return r.System }, "system"),
	}
}
