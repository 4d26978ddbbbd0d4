package session

import (
	"strconv"
	"strings"
	"unicode"
)

// What peers control, such as the subject of a certificate, must not reach a log as it is: a line
// break in it would be a further line, and an escape would reach a terminal. Handlers of package
// slog see to that, others may not.

// Quoted returns text, quoted as Go does if it has characters that are not printed.
func Quoted(text string) string {
	if strings.IndexFunc(text, unprintable) < 0 {
		return text
	}
	return strconv.Quote(text)
}

// unprintable includes what stands for bytes that are no characters.
func unprintable(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }

// QuotedError returns an error whose text is Quoted, and which is err otherwise.
func QuotedError(err error) error {
	if text := err.Error(); Quoted(text) != text {
		return quotedError{err}
	}
	return err
}

type quotedError struct{ error }

func (q quotedError) Error() string { return Quoted(q.error.Error()) }
func (q quotedError) Unwrap() error { return q.error }
