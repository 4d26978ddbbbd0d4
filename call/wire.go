package call

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// The first byte of a frame is the version, and the kind of the frame below it.
const version = 1

// kind says what a frame is about. Those from optional on may be ignored.
type kind byte

const (
	kindRequest kind = iota + 1
	kindReply
	kindFailure
	kindCancel
	optional kind = 8
)

// Offsets of the fields, in every kind, and what is behind them in some.
const (
	atFlags   = 1
	atPeer    = 2
	atCall    = 10
	header    = 18 // bytes that every kind has
	atTimeout = header
	atRequest = header + 8
	atCode    = header
	atText    = header + 1
)

// least is how many bytes a frame of each kind has at least; 0: there is no such kind.
var least = [optional]int{
	kindRequest: atRequest, kindReply: header, kindFailure: atText, kindCancel: header,
}

// code says why a request has no reply.
type code byte

const (
	codeFailed    code = 1 // the handler returned an error
	codeBusy      code = 128
	codeNotServed code = 129
	codeCanceled  code = 130

	notExecuted code = 128 // those from here on: the request was not executed, and will not be
)

// maxText is how many bytes of an error's text are sent.
const maxText = 4 << 10

// callID is what a call is known by: the number of the end that makes it, which no other has, and a number
// of the call's that this end uses once.
type callID struct{ peer, call uint64 }

// frame is one message. Slices are parts of it.
type frame struct {
	kind    kind
	id      callID
	timeout time.Duration // of a request; 0: none
	code    code          // of a failure
	rest    []byte        // the request, the reply or the text
}

var order = binary.BigEndian

// parse reads a frame. The error says what is wrong with it.
func parse(p []byte) (f frame, err error) {
	if len(p) == 0 || p[0]>>4 != version {
		return f, fmt.Errorf("a frame of another version than %d", version)
	}
	if f.kind = kind(p[0] & 15); f.kind >= optional {
		return f, nil
	}
	least := least[f.kind]
	switch {
	case least == 0:
		return frame{}, fmt.Errorf("a frame of the unknown kind %d", f.kind)
	case len(p) < least:
		return frame{}, fmt.Errorf("%d bytes as a frame of kind %d, which has %d at least", len(p), f.kind, least)
	}
	f.id = callID{order.Uint64(p[atPeer:]), order.Uint64(p[atCall:])}
	f.rest = p[least:len(p):len(p)]
	switch f.kind {
	case kindRequest:
		if f.timeout = time.Duration(order.Uint64(p[atTimeout:])); f.timeout < 0 {
			return frame{}, fmt.Errorf("a timeout of 2⁶³ ns or more")
		}
	case kindFailure:
		f.code = code(p[atCode])
	}
	return f, nil
}

// start makes a frame with its first fields, and room for n bytes behind them.
func start(k kind, id callID, n int) []byte {
	p := make([]byte, header, header+n)
	p[0] = version<<4 | byte(k)
	order.PutUint64(p[atPeer:], id.peer)
	order.PutUint64(p[atCall:], id.call)
	return p
}

func requestFrame(id callID, timeout time.Duration, request []byte) []byte {
	p := start(kindRequest, id, atRequest-header+len(request))
	return append(order.AppendUint64(p, uint64(timeout)), request...)
}

func replyFrame(id callID, reply []byte) []byte {
	return append(start(kindReply, id, len(reply)), reply...)
}

func failureFrame(id callID, c code, text string) []byte {
	text = strings.ToValidUTF8(text[:min(len(text), maxText)], "")
	p := start(kindFailure, id, atText-header+len(text))
	return append(append(p, byte(c)), text...)
}

func cancelFrame(id callID) []byte { return start(kindCancel, id, 0) }

// failure is the error of a call that was answered by such a frame.
func (f *frame) failure() error {
	switch {
	case f.code < notExecuted:
		return &RemoteError{Message: string(f.rest)}
	case f.code == codeBusy:
		return ErrBusy
	case f.code == codeNotServed:
		return ErrNotServed
	}
	return ErrRefused
}
