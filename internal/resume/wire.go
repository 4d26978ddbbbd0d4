// Package resume is what the two ends of a resumable session say to each other beside messages, and
// what follows from it. It knows neither sockets nor sessions: docs/resume.md is its specification.
//
// An empty frame says that the next frame is for the library: a control frame. Its body begins with
// a byte for its kind. Numbers are big endian, whatever the framing of the messages is.
package resume

import (
	"encoding/binary"
	"fmt"
	"time"
)

// MaxBody is the largest body of a control frame in bytes, its kind included.
const MaxBody = 512

// Version is the one version of the protocol.
const Version = 1

// MaxToken is the largest token in bytes.
const MaxToken = 64

// magic is what a Hello begins with, so that the log of a peer that does not know it can be read.
const magic = "netasync-resume"

// The kinds of control frames.
const (
	KindHello    = 'H'
	KindWelcome  = 'W'
	KindRefuse   = 'R'
	KindAck      = 'A'
	KindQuestion = 'Q'
	KindBye      = 'B'
)

// Nonce is what a dialer made up for a session, so that its listener finds that before the dialer
// knows its token.
type Nonce [16]byte

// Keep says how much of what it has sent an end keeps until that is acknowledged.
type Keep struct {
	Messages, Bytes uint32
}

// Hello is the first thing that a dialer says on a connection.
type Hello struct {
	Version  byte
	Continue bool   // it goes on with the session of Token, and Received is of that
	Only     bool   // it is of no use to begin a new session
	Follows  bool   // where RefuseGoTo says, the dialer goes; else there is no such answer
	Number   uint64 // of the connection, from 1; it grows over the life of the nonce
	Nonce    Nonce
	Received uint64 // messages of the listener that the dialer has
	Keep     Keep
	Token    []byte // may be empty; at most MaxToken
}

// Welcome is the listener's answer.
type Welcome struct {
	Version   byte
	Continued bool   // else the session is a new one
	Received  uint64 // messages of the dialer that the listener has
	Keep      Keep
	Window    uint32 // seconds for which the session is kept without a connection
	Token     []byte
}

// Refuse is the other answer, after which the listener closes the connection.
type Refuse struct {
	Code Code
	Text string
}

// Code says why a connection was refused.
type Code byte

// The codes.
const (
	RefuseVersion   Code = 1 // the listener does not speak that version
	RefuseStale     Code = 2 // a connection with a larger number came before
	RefuseForbidden Code = 3 // the session is another one's
	RefuseUnknown   Code = 4 // the session cannot be continued, and nothing else was wanted
	RefuseFull      Code = 5 // the listener has no room for a further session
	RefuseShutdown  Code = 6
	RefuseGoTo      Code = 7 // Text is the host:port to go to
)

// String returns what the code means.
func (c Code) String() string {
	switch c {
	case RefuseVersion:
		return "version not supported"
	case RefuseStale:
		return "stale connection number"
	case RefuseForbidden:
		return "forbidden"
	case RefuseUnknown:
		return "cannot continue"
	case RefuseFull:
		return "full"
	case RefuseShutdown:
		return "shutting down"
	case RefuseGoTo:
		return "go to"
	}
	return fmt.Sprintf("code %d", byte(c))
}

// Bye says that the session is over on purpose.
type Bye struct {
	Sent uint64 // messages that the speaker has sent, to be acknowledged
	Code byte   // 0
}

// Flags of a Hello and of a Welcome.
const (
	flagContinue = 1 << 0
	flagOnly     = 1 << 1 // of a Hello
	flagFollows  = 1 << 2 // of a Hello
)

var order = binary.BigEndian

// Append appends the body.
func (h *Hello) Append(b []byte) []byte {
	b = append(b, KindHello)
	b = append(b, magic...)
	flags := flag(h.Continue, flagContinue) | flag(h.Only, flagOnly) | flag(h.Follows, flagFollows)
	b = append(b, h.Version, flags)
	b = order.AppendUint64(b, h.Number)
	b = append(b, h.Nonce[:]...)
	b = order.AppendUint64(b, h.Received)
	return appendToken(h.Keep.append(b), h.Token)
}

// Append appends the body.
func (w *Welcome) Append(b []byte) []byte {
	b = append(b, KindWelcome, w.Version, flag(w.Continued, flagContinue))
	b = order.AppendUint64(b, w.Received)
	b = order.AppendUint32(w.Keep.append(b), w.Window)
	return appendToken(b, w.Token)
}

// Append appends the body.
func (r *Refuse) Append(b []byte) []byte {
	b = append(b, KindRefuse, byte(r.Code))
	return append(b, r.Text[:min(len(r.Text), MaxBody-2)]...)
}

// AppendAck appends the body of an Ack.
func AppendAck(b []byte, received uint64) []byte {
	return order.AppendUint64(append(b, KindAck), received)
}

// AppendQuestion appends the body of a Question.
func AppendQuestion(b []byte) []byte { return append(b, KindQuestion) }

// Append appends the body.
func (y *Bye) Append(b []byte) []byte {
	return append(order.AppendUint64(append(b, KindBye), y.Sent), y.Code)
}

func (k Keep) append(b []byte) []byte {
	return order.AppendUint32(order.AppendUint32(b, k.Messages), k.Bytes)
}

func appendToken(b, token []byte) []byte { return append(append(b, byte(len(token))), token...) }

func flag(on bool, bit byte) byte {
	if on {
		return bit
	}
	return 0
}

// WindowOf returns the window of a Welcome.
func (w *Welcome) WindowOf() time.Duration { return time.Duration(w.Window) * time.Second }
