package codec

import "fmt"

// FrameTooLargeError is an [ErrFrameTooLarge] that says how large the frame was, and what its
// header reads like if that is no length: the peer may speak another protocol.
type FrameTooLargeError struct {
	Length uint64 // of the payload, as announced or as it was to be sent, in bytes
	Max    int    // the largest that is allowed, in bytes
	Header []byte // what announced it; nil for a payload that was to be sent
}

// Error tells both figures, and what the header reads like, if it reads like anything.
func (e *FrameTooLargeError) Error() string {
	text := fmt.Sprintf("%v: %d bytes, the maximum is %d", ErrFrameTooLarge, e.Length, e.Max)
	switch {
	case likeTLS(e.Header):
		return text + "; it reads like TLS"
	case likeText(e.Header):
		return fmt.Sprintf("%s; it reads like %q", text, e.Header)
	}
	return text
}

// Unwrap returns ErrFrameTooLarge.
func (e *FrameTooLargeError) Unwrap() error { return ErrFrameTooLarge }

// likeTLS reports whether a header is the beginning of a TLS handshake.
func likeTLS(header []byte) bool {
	return len(header) >= 2 && header[0] == 0x16 && header[1] == 0x03
}

// leastText is how many printable bytes are no accident.
const leastText = 3

// likeText reports whether a header is printable ASCII.
func likeText(header []byte) bool {
	for _, b := range header {
		if b < ' ' || b > '~' {
			return false
		}
	}
	return len(header) >= leastText
}
