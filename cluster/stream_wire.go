package cluster

import (
	"bytes"
	"encoding/binary"
)

// What the two ends of a link say to each other: numbers are varints, texts have their length in front.
// The sender is the node that dialed, the owner has the sessions. A stream is what one RemoteSession sends
// to one session; streams of a link are numbered from 1.

// Kinds of frames.
const (
	frameOpen  = 'o' // sender: a stream begins. Its number, the session's ID, the name
	frameData  = 'd' // sender: messages of a stream. Its number, then each message behind its length
	frameLeave = 'l' // sender: nothing more comes of a stream, the owner is to say frameLast. Its number
	// owner: how many messages of a stream were handled, and how many of those refused. Three numbers
	frameAck = 'a'
	// owner: as frameAck, and no other message of the stream was or will be handled. Who has the name may
	// follow, see holder.append
	frameLast = 'z'
)

// The window of a stream: what its sender holds, and its owner, until it was handled. One message fits
// always.
const (
	windowMessages = 512
	windowBytes    = 512 << 10
	// frameBytes is the size of a frame with several messages, at most.
	frameBytes = 64 << 10
	// maxFrame is the size of a frame with the largest message, at most.
	maxFrame = maxMessage + 64
)

// fills reports whether so much fills a window.
func fills(messages, bytes int) bool { return messages >= windowMessages || bytes >= windowBytes }

// frame is one of them.
type frame struct {
	kind             byte
	stream           uint64
	session          uint64 // of frameOpen
	name             string
	messages         [][]byte // of frameData
	handled, refused uint64   // of frameAck and frameLast
	next             holder   // of frameLast; zero: not known
}

func (f *frame) append(b []byte) []byte {
	b = appendNumber(append(b, f.kind), f.stream)
	switch f.kind {
	case frameOpen:
		b = appendText(appendNumber(b, f.session), f.name)
	case frameData:
		for _, m := range f.messages {
			b = append(appendNumber(b, uint64(len(m))), m...)
		}
	case frameAck, frameLast:
		b = appendNumber(appendNumber(b, f.handled), f.refused)
		if f.next != (holder{}) {
			b = f.next.append(b)
		}
	}
	return b
}

// dataSize is how many bytes a frame with these messages takes, at most.
func dataSize(messages [][]byte) int {
	size := 1 + binary.MaxVarintLen64
	for _, m := range messages {
		size += binary.MaxVarintLen64 + len(m)
	}
	return size
}

// parseFrame parses what frame.append has made. Messages are in memory of their own.
func parseFrame(p []byte) (f frame, err error) {
	r := reader{p: p}
	f.kind, f.stream = r.byte(), r.number()
	switch f.kind {
	case frameOpen:
		f.session, f.name = r.number(), r.text(maxText)
		r.bad = r.bad || checkName(f.name) != nil
	case frameData:
		f.messages = r.messages()
	case frameLeave:
	case frameAck, frameLast:
		f.handled, f.refused = r.number(), r.number()
		if f.kind == frameLast && len(r.p) > 0 {
			f.next = holder{r.node(), r.number(), r.number()}
		}
		r.bad = r.bad || f.refused > f.handled
	default:
		r.fail()
	}
	if r.bad || len(r.p) > 0 || f.stream == 0 {
		return frame{}, errMalformed
	}
	return f, nil
}

// messages reads messages until the end: at least one, none of them empty, and no more than a window
// holds.
func (r *reader) messages() (all [][]byte) {
	r.p = bytes.Clone(r.p)
	for len(r.p) > 0 && len(all) < windowMessages {
		size := r.number()
		if size == 0 || size > uint64(len(r.p)) {
			r.fail()
			return nil
		}
		all = append(all, r.p[:size:size])
		r.p = r.p[size:]
	}
	r.bad = r.bad || len(all) == 0
	return all
}
