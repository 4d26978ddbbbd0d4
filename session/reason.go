package session

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"syscall"
)

// Reason says by what a connection has ended.
type Reason uint8

// The reasons.
const (
	ReasonEOF       Reason = iota // the peer closed it between two messages
	ReasonReset                   // it broke: a reset, an end within a message, an error of the network
	ReasonHeartbeat               // nothing was heard for HeartbeatTimeout, or taken for WriteTimeout
	ReasonProtocol                // the peer sent what it must not, or too slowly
	ReasonTLS                     // TLS found an error
	ReasonShutdown                // this end closed it: Close, CloseNow, Shutdown, Linger
	ReasonOther
)

// Reasons is how many there are.
const Reasons = int(ReasonOther) + 1

// String returns the reason's name in lower case.
func (r Reason) String() string {
	names := [Reasons]string{"eof", "reset", "heartbeat", "protocol", "tls", "shutdown", "other"}
	if int(r) < Reasons {
		return names[r]
	}
	return fmt.Sprintf("Reason(%d)", uint8(r))
}

// reasonOf classifies the error of a connection that has ended; nil is an end of our own.
func reasonOf(err error) Reason {
	is := func(errs ...error) bool {
		for _, e := range errs {
			if errors.Is(err, e) {
				return true
			}
		}
		return false
	}
	switch {
	case err == nil, is(ErrShutdown, ErrLinger, ErrResumeExpired):
		return ReasonShutdown
	case is(ErrHeartbeatTimeout, ErrWriteTimeout):
		return ReasonHeartbeat
	case is(ErrFrameTooLarge, ErrBadHeader, ErrSlowFrame, ErrBadAck, ErrNotResumable), errors.As(err, new(brokenRules)):
		return ReasonProtocol
	case errors.As(err, new(tls.AlertError)), errors.As(err, new(tls.RecordHeaderError)):
		return ReasonTLS
	case is(io.EOF):
		return ReasonEOF
	case is(io.ErrUnexpectedEOF), errors.As(err, new(syscall.Errno)):
		return ReasonReset
	}
	return ReasonOther
}
