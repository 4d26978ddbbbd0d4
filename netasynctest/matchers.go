package netasynctest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/netasync/netasync"
)

// Matcher returns nil for an event that is as it is to be, and otherwise says what it is to be. Write
// your own for what those here do not say.
type Matcher func(netasync.Event) error

// IsConnected matches Connected.
func IsConnected(ev netasync.Event) error { return want(ev.Kind == netasync.Connected, "connected") }

// IsMessage matches a Message.
func IsMessage[M ~string | ~[]byte](payload M) Matcher {
	return func(ev netasync.Event) error {
		return want(ev.Kind == netasync.Message && string(ev.Payload) == string(payload), "message %s", quote(payload))
	}
}

// IsDisconnected matches a Disconnected whose Err is err, as errors.Is has it; nil matches any.
func IsDisconnected(err error) Matcher {
	return func(ev netasync.Event) error {
		is := ev.Kind == netasync.Disconnected && (err == nil || errors.Is(ev.Err, err))
		if err == nil {
			return want(is, "disconnected")
		}
		return want(is, "disconnected: %v", err)
	}
}

// IsClosed matches a Closed whose Err is err, as errors.Is has it; nil is the clean end.
func IsClosed(err error) Matcher {
	return func(ev netasync.Event) error {
		is := ev.Kind == netasync.Closed && errors.Is(ev.Err, err)
		if err == nil {
			return want(is, "closed, without an error")
		}
		return want(is, "closed: %v", err)
	}
}

// want returns nil, or what an event is to be.
func want(is bool, format string, args ...any) error {
	if is {
		return nil
	}
	return fmt.Errorf(format, args...)
}

// shown is how much of a payload is shown.
const shown = 100

// quote shows a payload.
func quote[M ~string | ~[]byte](payload M) string {
	if len(payload) <= shown {
		return fmt.Sprintf("%q", string(payload))
	}
	return fmt.Sprintf("%q… of %d bytes", string(payload[:shown]), len(payload))
}

// describe shows an event.
func describe(ev netasync.Event) string {
	var b strings.Builder
	b.WriteString(ev.Kind.String())
	if ev.Kind == netasync.Message {
		b.WriteString(" " + quote(ev.Payload))
	}
	if ev.Err != nil {
		fmt.Fprintf(&b, ": %v", ev.Err)
	}
	fmt.Fprintf(&b, " (epoch %d", ev.Epoch)
	if ev.Queued > 0 {
		fmt.Fprintf(&b, ", %d queued", ev.Queued)
	}
	b.WriteString(")")
	return b.String()
}
