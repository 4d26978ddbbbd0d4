//go:build unix && !linux

package engine

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/netasync/netasync/session"
)

func writeOnce(fd int, bufs [][]byte) (int, error) { return unix.Write(fd, bufs[0]) }

// unacknowledged is not known here: a close may then overtake what was sent
// if the peer is sending, too.
func unacknowledged(int) int { return 0 }

func isClosed(int) bool { return false }

// pulse is not known here: while we do not read, a peer counts as alive.
func pulse(int) (session.Pulse, bool) { return session.Pulse{}, false }

// boundBackoff is not to be had here.
func boundBackoff(int, time.Duration) error { return errors.ErrUnsupported }

func backlog(int) session.Backlog { return session.Backlog{} }
