package talk

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestClean(t *testing.T) {
	for _, c := range []struct{ in, out, err string }{
		{"  Ada ", "Ada", ""},
		{"a\r\nb\x00c", "a  b c", ""},
		{"a\u202eb\u2066c\ufeff", "abc", ""},                             // would turn what stands beside it around
		{"\U0001f469\u200d\U0001f680", "\U0001f469\u200d\U0001f680", ""}, // one emoji
		{"\xff", "?", ""},
		{strings.Repeat("ä", 6), "ääääää", ""},
		{strings.Repeat("ä", 7), "", "the name has 7 characters, and may have 6"},
		{" \n\u202e ", "", "the name is empty"},
	} {
		out, err := Clean("the name", c.in, 6)
		require.Equal(t, c.out, out, "%q", c.in)
		if c.err == "" {
			require.NoError(t, err)
		} else {
			require.EqualError(t, err, c.err)
		}
	}
}
