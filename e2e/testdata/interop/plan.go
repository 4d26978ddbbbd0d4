package interop

import (
	"strconv"
	"strings"
)

// Origin says who sends a message of the plan.
type Origin uint32

// The peers know these by the same numbers.
const (
	FromUs   Origin = 1
	FromPeer Origin = 2
)

// smallMessages follow the large ones, as fast as the sender can.
const smallMessages = 10_000

// sizes are those around the steps of one-, two- and three-byte lengths, and
// one that no buffer takes at once.
var sizes = []int{1, 2, 127, 128, 65_535, 65_536, 1 << 20}

// Total is how many messages the plan has.
func Total() int { return len(sizes) + smallMessages }

// Payload is the message of the plan at index: position and direction can be
// told from its size and content.
func Payload(origin Origin, index int) []byte {
	size := 1 + index%100
	if index < len(sizes) {
		size = sizes[index]
	}
	payload := make([]byte, size)
	state := uint32(origin)*1_000_003 + uint32(index)
	for i := range payload {
		state = state*1_664_525 + 1_013_904_223
		payload[i] = byte(state >> 24)
	}
	return payload
}

// planArgs tells a peer the same plan.
func planArgs() []string {
	texts := make([]string, len(sizes))
	for i, size := range sizes {
		texts[i] = strconv.Itoa(size)
	}
	return []string{"sizes=" + strings.Join(texts, ","), "small=" + strconv.Itoa(smallMessages)}
}
