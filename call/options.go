package call

import (
	"fmt"
	"math"
)

const (
	defaultCalls        = 256
	defaultHandlers     = 256
	defaultHandlerBytes = 64 << 20

	// maxCalls is how many calls an end may have without an answer, as the specification has it.
	maxCalls = 1 << 16
)

// Options configure a [Peer]. The zero value works.
type Options struct {
	// MaxCalls is how many calls of this end may be on their way; 0 means 256, and 65,536 is the maximum.
	// Call waits for a place beyond that. A call whose user has given up keeps its place until the peer
	// has answered it all the same, or it is known that it will not: so this end never asks for more at
	// once. Let it be at most the peer's MaxHandlers: what is beyond that is refused, with ErrBusy.
	MaxCalls int
	// MaxHandlers is how many requests of the peer may be worked on, a goroutine each; 0 means 256. Those
	// that wait for the first Serve count. What comes beyond that is refused, and ends with ErrBusy
	// there. So it does when 1,024 replies more than that wait to be sent.
	MaxHandlers int
	// MaxHandlerBytes is how many bytes these requests may have together, with the replies that wait to be
	// sent; 0 means 64 MiB. A single request may be larger. Beyond it requests are refused.
	MaxHandlerBytes int
	// FailFast makes Call return ErrNotConnected at once while there is no connection. Else the request
	// waits for one, within the session's WriteBuffer. A request that was accepted and not sent when its
	// connection broke waits nevertheless, unless the session has WhileDown: Refuse.
	FailFast bool
}

// resolve fills in defaults. The error names the field.
func (o Options) resolve() (Options, error) {
	for _, field := range []struct {
		name     string
		value    *int
		standard int
		most     int
	}{
		{"MaxCalls", &o.MaxCalls, defaultCalls, maxCalls},
		{"MaxHandlers", &o.MaxHandlers, defaultHandlers, math.MaxInt},
		{"MaxHandlerBytes", &o.MaxHandlerBytes, defaultHandlerBytes, math.MaxInt},
	} {
		switch v := *field.value; {
		case v == 0:
			*field.value = field.standard
		case v < 0 || v > field.most:
			return o, fmt.Errorf("call: %s is %d, want 0 to %d", field.name, v, field.most)
		}
	}
	return o, nil
}
