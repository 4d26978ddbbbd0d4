//go:build linux

package chaos

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/netasync/netasync"
)

// clients is how many sessions are dialed.
const clients = 50

// way is a way to consume a session, the same at both ends.
type way int

const (
	byChannels way = iota // ReadChan, WriteChan
	byRecv                // Recv, Send
	byCallback            // OnEvent, Send
	byInline              // OnEvent with Inline, Send
	ways
)

// role is how one client differs from the others. It follows from its number.
type role struct {
	way      way
	tls      bool
	direct   bool // no proxy: it sees the server process itself go
	narrow   bool // small socket buffers at both ends
	await    bool // AwaitPeer
	in, out  netasync.Buffer
	outLossy bool
	inLossy  bool
}

func roleOf(stream int) role {
	r := role{way: way(stream) % ways, tls: stream/int(ways)%2 == 1, narrow: stream/(2*int(ways))%2 == 0, await: stream%3 == 0}
	lossy := netasync.Dropping(16)
	if stream%2 == 1 {
		lossy = netasync.Sliding(16)
	}
	switch stream / (2 * int(ways)) {
	case 1:
		r.direct = true
	case 2:
		r.in, r.out = netasync.Fixed(2), netasync.Fixed(2)
	case 3:
		r.in, r.inLossy = lossy, true
	case 4:
		r.out, r.outLossy = lossy, true
	}
	return r
}

// The heartbeats of both ends.
const (
	period  = 250 * time.Millisecond
	timeout = 4 * period
)

// ports is how many listeners the server has: one for each way, by TCP and by TLS.
const ports = 2 * int(ways)

// port returns the index of the listener for a role.
func (r role) port() int {
	if r.tls {
		return int(ways) + int(r.way)
	}
	return int(r.way)
}

// corrupt reports whether an error says that what was received was no stream of frames, which no
// cut explains.
func corrupt(err error) bool {
	var record tls.RecordHeaderError
	var alert tls.AlertError
	const badRecordMAC, unexpectedMessage = 20, 10
	return errors.Is(err, netasync.ErrFrameTooLarge) || errors.Is(err, netasync.ErrBadHeader) ||
		errors.As(err, &record) ||
		errors.As(err, &alert) && (alert == badRecordMAC || alert == unexpectedMessage)
}

// unaccounted says what is wrong with a session's figures: of the messages that it was given each
// was sent, waits, was dropped or was discarded.
func unaccounted(s *netasync.Session, given uint64) error {
	st := s.Stats()
	sum := st.Sent + uint64(st.Queued) + st.Dropped - st.DroppedInbound + st.Discarded + st.Returned
	if st.Accepted != given || sum != given {
		return fmt.Errorf("%d messages were given, and %d are accounted for: %+v", given, sum, st)
	}
	return nil
}

// descriptors returns how many this process has open.
func descriptors() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		panic(err)
	}
	return len(entries)
}
