package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
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
		out, err := clean("the name", c.in, 6)
		require.Equal(t, c.out, out, "%q", c.in)
		if c.err == "" {
			require.NoError(t, err)
		} else {
			require.EqualError(t, err, c.err)
		}
	}
}

// The list of a room's members, and the longest text, fit into a message, whatever they are written with.
func TestLongestNewsFits(t *testing.T) {
	r := room{members: make(map[*netasync.Session]*member)}
	long := strings.Repeat("<", maxName) // six bytes each in JSON
	for range maxMembers {
		r.members[new(netasync.Session)] = &member{person{Name: r.free(long), Away: true}, &r}
	}
	id := strings.Repeat("<", maxID)
	require.LessOrEqual(t, len(encode(news{Kind: "joined", Name: long, ID: id, Members: r.people()})), maxPayload)
	require.LessOrEqual(t, len(encode(news{Kind: "said", Name: long, ID: id, Text: strings.Repeat("<", maxText)})), maxPayload)
}
