package otelmetrics

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/netasync/netasync"
)

// The attributes of series.
const (
	kind      = attribute.Key("netasync.kind")
	state     = attribute.Key("netasync.state")
	reason    = attribute.Key("netasync.reason")
	result    = attribute.Key("netasync.result")
	move      = attribute.Key("netasync.direction")
	direction = attribute.Key("network.io.direction")
)

// family is what has one name. Its series differ in their attributes, and read their figure from a T.
type family[T any] struct {
	name   string
	kind   maker
	unit   string
	about  string
	series []series[T]
}

// maker makes an instrument.
type maker func(meter metric.Meter, name, unit, about string) (metric.Int64Observable, error)

// counter makes what never goes backwards.
func counter(meter metric.Meter, name, unit, about string) (metric.Int64Observable, error) {
	return meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(about))
}

// level makes what says how it is now, and may be summed.
func level(meter metric.Meter, name, unit, about string) (metric.Int64Observable, error) {
	return meter.Int64ObservableUpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(about))
}

// series has one figure.
type series[T any] struct {
	attributes []attribute.KeyValue
	value      func(*T) uint64
}

// of is a series.
func of[T any](value func(*T) uint64, attributes ...attribute.KeyValue) series[T] {
	return series[T]{attributes, value}
}

// one is all series of a family that has no attributes of its own.
func one[T any](value func(*T) uint64) []series[T] { return []series[T]{of(value)} }

// named are the families of the sessions of each name.
func named() []family[netasync.Totals] {
	return []family[netasync.Totals]{
		{
			"netasync.sessions", level, "{session}",
			"Sessions that are open now. A disconnected one has no connection, and tries to get one if it is dialed. A detached one was accepted with Resume, and waits for its peer to come back.",
			sessions(),
		}, {
			"netasync.connections", counter, "{connection}",
			"Connections that were made. A dialed session makes another one after each outage.",
			[]series[netasync.Totals]{
				of(func(t *totals) uint64 { return t.DialedConnections }, kind.String("dialed")),
				of(func(t *totals) uint64 { return t.Connections - t.DialedConnections }, kind.String("accepted")),
			},
		}, {
			"netasync.disconnects", counter, "{connection}",
			"Connections that have ended, by reason. With shutdown this end has closed it, with eof the other one; heartbeat means that the peer was silent for too long.",
			disconnects(),
		}, {
			"netasync.dial_attempts", counter, "{attempt}",
			"Attempts to connect that are over: they brought a connection, or failed.",
			[]series[netasync.Totals]{
				of(func(t *totals) uint64 { return t.DialedConnections }, result.String("connected")),
				of(func(t *totals) uint64 { return t.FailedAttempts }, result.String("failed")),
			},
		}, {
			"netasync.messages", counter, "{message}",
			"Messages that were given to the operating system, or came from peers. With Resume a message counts each time that it is sent.",
			both(
				func(t *totals) uint64 { return t.Sent },
				func(t *totals) uint64 { return t.Received }),
		}, {
			"netasync.message_bytes", counter, "By",
			"Bytes of payload that were sent and received in messages, without what frames and heartbeats take.",
			both(
				func(t *totals) uint64 { return t.SentBytes },
				func(t *totals) uint64 { return t.ReceivedBytes }),
		}, {
			"netasync.dropped_messages", counter, "{message}",
			"Messages that were thrown away: a Dropping or Sliding buffer was full, Latest has replaced them, or the peer did not take them.",
			both(
				func(t *totals) uint64 { return t.Dropped - t.DroppedInbound },
				func(t *totals) uint64 { return t.DroppedInbound }),
		}, {
			"netasync.discarded_messages", counter, "{message}",
			"Messages from WriteChan that could not be sent: empty, too large, after the end of the session, or during an outage with Refuse.",
			one(func(t *totals) uint64 { return t.Discarded }),
		}, {
			"netasync.unsent_messages", counter, "{message}",
			"Messages that were still queued when their session closed, and were never sent.",
			one(func(t *totals) uint64 { return t.Unsent }),
		}, {
			"netasync.queue_messages", level, "{message}",
			"Messages that wait now: to be sent, or for the program to read them.",
			both(
				func(t *totals) uint64 { return t.Queued },
				func(t *totals) uint64 { return t.Unread }),
		}, {
			"netasync.queue_bytes", level, "By",
			"Bytes of the payload of the messages that wait now.",
			both(
				func(t *totals) uint64 { return t.QueuedBytes },
				func(t *totals) uint64 { return t.UnreadBytes }),
		}, {
			"netasync.unacked_messages", level, "{message}",
			"Messages of sessions with Resume that were sent, and that the peer has not acknowledged yet.",
			one(func(t *totals) uint64 { return t.Unacked }),
		}, {
			"netasync.resumes", counter, "{connection}",
			"Connections that went on where the one before had ended, with Resume.",
			one(func(t *totals) uint64 { return t.Resumed }),
		}, {
			"netasync.lost_messages", counter, "{message}",
			"Messages of sessions with Resume that may not have arrived: the peer had forgotten the session, or it closed before they were acknowledged.",
			one(func(t *totals) uint64 { return t.Lost }),
		},
	}
}

// totals makes lines short.
type totals = netasync.Totals

// both are the series of the two directions.
func both[T any](out, in func(*T) uint64) []series[T] {
	return []series[T]{of(out, direction.String("transmit")), of(in, direction.String("receive"))}
}

// sessions are the series of the open sessions. The core counts those of one session at one instant, so
// none of the differences is below 0.
func sessions() []series[totals] {
	return []series[totals]{
		of(func(t *totals) uint64 { return uint64(t.DialedConnected) }, kind.String("dialed"), state.String("connected")),
		of(func(t *totals) uint64 { return uint64(t.Dialed - t.DialedConnected) }, kind.String("dialed"), state.String("disconnected")),
		of(func(t *totals) uint64 { return uint64(t.Connected - t.DialedConnected) }, kind.String("accepted"), state.String("connected")),
		of(func(t *totals) uint64 { return uint64(t.Detached) }, kind.String("accepted"), state.String("detached")),
		// These have lost their connection, or have not begun it.
		of(func(t *totals) uint64 {
			return uint64(t.Sessions - t.Dialed - (t.Connected - t.DialedConnected) - t.Detached)
		}, kind.String("accepted"), state.String("disconnected")),
	}
}

// disconnects are the series of the reasons.
func disconnects() (all []series[totals]) {
	for r := range len(totals{}.Disconnects) {
		all = append(all, of(func(t *totals) uint64 { return t.Disconnects[r] }, reason.String(netasync.Reason(r).String())))
	}
	return all
}

// unnamed are the families of whole engines.
func unnamed() []family[netasync.Stats] {
	return []family[netasync.Stats]{
		{
			"netasync.refused_connections", counter, "{connection}",
			"Incoming connections that did not become sessions, by reason: see the fields of netasync.Refusals.",
			refusals(),
		}, {
			"netasync.routed_connections", counter, "{connection}",
			"Incoming connections that were passed on to the engine where their session lives, or told to go there, see ListenOptions.Route.",
			one(func(st *netasync.Stats) uint64 { return st.Routed }),
		}, {
			"netasync.loop_moves", counter, "{session}",
			"Sessions that left their event loop because the program was slow to read (off), and that came back (back).",
			[]series[netasync.Stats]{
				of(func(st *netasync.Stats) uint64 { return st.Left }, move.String("off")),
				of(func(st *netasync.Stats) uint64 { return st.Returned }, move.String("back")),
			},
		}, {
			"netasync.loops", level, "{loop}",
			"Event loops that run now, without those of gnet engines of the program's own.",
			one(func(st *netasync.Stats) uint64 { return uint64(st.Loops) }),
		},
	}
}

// refusals are the series of the reasons to refuse a connection.
func refusals() []series[netasync.Stats] {
	by := func(value func(*netasync.Refusals) uint64, name string) series[netasync.Stats] {
		return of(func(st *netasync.Stats) uint64 { return value(&st.RefusedBy) }, reason.String(name))
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
