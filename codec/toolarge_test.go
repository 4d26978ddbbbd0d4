package codec

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// The error tells the announced length and the maximum, and what a header reads like that is none.
// What the peer sent is quoted, and cannot break a line of a log.
func TestFrameTooLargeError(t *testing.T) {
	for _, c := range []struct {
		format Format
		header string
		length uint64
		tells  string
	}{
		{Format{}, "GET ", 1195725856, `1195725856 bytes, the maximum is 1000; it reads like "GET "`},
		{Format{}, "\x16\x03\x01\x02", 0x16030102, "369295618 bytes, the maximum is 1000; it reads like TLS"},
		{Format{LittleEndian: true}, "SSH-", 0x2d485353, `it reads like "SSH-"`},
		{Format{Width: 8}, "HTTP/1.1", 0x485454502f312e31, `it reads like "HTTP/1.1"`},
		{Format{}, `"\"\`, 0x225c225c, `it reads like "\"\\\"\\"`},
		{Format{}, "\x7f\xff\xff\xff", 0x7fffffff, "2147483647 bytes, the maximum is 1000"},
		{Format{}, "\n\x1b[2", 0x0a1b5b32, "169564978 bytes, the maximum is 1000"},
		{Format{Width: 2}, "GE", 0x4745, "18245 bytes, the maximum is 1000"},
	} {
		d := NewDecoder(c.format, 1000)
		var err error
		for i := range len(c.header) { // it may come in pieces
			if _, _, _, err = d.Next([]byte(c.header[i : i+1])); err != nil {
				break
			}
		}
		require.ErrorIs(t, err, ErrFrameTooLarge)
		var tooLarge *FrameTooLargeError
		require.True(t, errors.As(err, &tooLarge))
		require.Equal(t, FrameTooLargeError{c.length, 1000, []byte(c.header)}, *tooLarge)
		require.Contains(t, err.Error(), c.tells)
		for _, r := range err.Error() {
			require.True(t, r >= ' ' && r <= '~', "%q", err.Error())
		}
	}
}
