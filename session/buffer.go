package session

import "fmt"

// Policy says what a full buffer does.
type Policy uint8

// The policies, named after core.async's buffers.
const (
	// PolicyFixed pushes back: the sender waits, inbound the peer does.
	PolicyFixed Policy = iota
	// PolicyDropping drops the newest message.
	PolicyDropping
	// PolicySliding drops the oldest message.
	PolicySliding
)

// Defaults of a [Buffer].
const (
	defaultCap        = 128     // messages
	DefaultReadBytes  = 1 << 20 // payload bytes, inbound
	DefaultWriteBytes = 4 << 20 // payload bytes, outbound
)

// Buffer bounds one direction of a session, in messages and in payload bytes, whichever is reached
// first; a single message always fits an empty buffer. A consumer takes what is queued as one
// batch, so as much again as the bounds say may be in its hands, and in those of each loop over
// Events. Policies apply to messages only:
// lifecycle events are never dropped, but see [Event] on Epoch.
//
// In front of the buffer, ReadChan and WriteChan are Go channels of 64 slots, or Cap if that is
// less. A Go channel counts messages, not bytes: where MaxPayload is over 4 MiB they have fewer
// slots, so that WriteChan holds no more than 256 MiB, but at least 8. ReadChan is bounded by
// Bytes, too, and has no slots with a lossy policy.
type Buffer struct {
	Cap    int    // messages; 0 means 128
	Bytes  int    // payload bytes; 0 means 1 MiB inbound, 4 MiB outbound
	Policy Policy // what happens when it is full; zero means PolicyFixed
}

// Fixed returns a buffer of n messages that pushes back when full.
func Fixed(n int) Buffer { return Buffer{Cap: n} }

// Dropping returns a buffer of n messages that drops the newest when full.
func Dropping(n int) Buffer { return Buffer{Cap: n, Policy: PolicyDropping} }

// Sliding returns a buffer of n messages that drops the oldest when full.
func Sliding(n int) Buffer { return Buffer{Cap: n, Policy: PolicySliding} }

// Resolve validates the buffer and fills in defaults; field names it in errors.
func (b Buffer) Resolve(field string, bytes int) (Buffer, error) {
	if b.Cap < 0 {
		return b, fmt.Errorf("netasync: %s.Cap is %d, want 0 or more", field, b.Cap)
	}
	if b.Bytes < 0 {
		return b, fmt.Errorf("netasync: %s.Bytes is %d, want 0 or more", field, b.Bytes)
	}
	if b.Policy > PolicySliding {
		return b, fmt.Errorf("netasync: %s.Policy is %d, want 0 to %d", field, b.Policy, PolicySliding)
	}
	if b.Cap == 0 {
		b.Cap = defaultCap
	}
	if b.Bytes == 0 {
		b.Bytes = bytes
	}
	return b, nil
}

// full reports whether a buffer that holds so much pushes back.
func (b *Buffer) full(messages, bytes int) bool {
	return messages >= b.Cap || bytes >= b.Bytes
}

const (
	// maxSlots is the capacity of a session's channels. By measurement, 128 slots are no faster,
	// 32 cost 10 % of the throughput of one connection, and 16 cost 17 %.
	maxSlots = 64
	// minSlots is their capacity where messages are huge.
	minSlots = 8
	// slotBytes bounds the bytes that the slots of a write channel hold, except for the last
	// minSlots: nothing else bounds them.
	slotBytes = 256 << 20
)

// slots returns the capacity of a channel in front of the buffer.
func (b *Buffer) slots(maxPayload int) int {
	return min(b.Cap, max(minSlots, min(maxSlots, slotBytes/max(maxPayload, 1))))
}
