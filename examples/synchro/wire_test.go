package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

var nonsense = []string{`x`, `{}`, `null`, `[]`, `7`, `{"follow":{},"ask":{}}`, `{"other":{}}`, `{"ask":{"seq":-1}}`,
	`{"ask":{"seq":1,"command":{"set":{"a":1.5}}}}`, `{"follow":{}}{"follow":{}}`, "\xff"}

func TestNonsense(t *testing.T) {
	for _, text := range nonsense {
		_, err := parse([]byte(text))
		require.ErrorIs(t, err, errNonsense, text)
	}
}

// What is parsed can be written, and is then parsed as the same.
func FuzzParse(f *testing.F) {
	for _, text := range nonsense {
		f.Add([]byte(text))
	}
	d := deltaTo(5)
	for _, m := range []message{
		{Follow: &follow{"ticket"}},
		{Ask: &ask{"ticket", 5, Command{Ensure: values("a", 1), Set: values("b", 2), Add: values("c", 3), Delete: []string{"d"}}}},
		{Snapshot: &snapshot{Version{"life", 5}, values("a", 1), "ticket", 3}},
		{Answer: &answer{Seq: 5, Version: 6, Refused: true}},
		{Delta: &d},
	} {
		f.Add(m.encode())
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		m, err := parse(payload)
		if err != nil {
			return
		}
		again, err := parse(m.encode())
		require.NoError(t, err)
		require.Equal(t, string(m.encode()), string(again.encode()))
	})
}
