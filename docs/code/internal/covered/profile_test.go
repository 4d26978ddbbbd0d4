package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/docs/code/internal/region"
)

const source = `package p

func f() {
	g(func() {
		h()
	})
}
`

// What was not called is found, also where what is around it was.
func TestMissed(t *testing.T) {
	whole := region.Region{File: "p/f.go", Name: "whole", Begin: 2, End: 8}
	inner := region.Region{File: "p/f.go", Name: "inner", Begin: 4, End: 6}
	for _, c := range []struct {
		r             region.Region
		outer, within string
		want          []string
	}{
		{whole, "1", "1", nil},
		{whole, "1", "0", []string{"p/f.go:4: no test calls the function, which whole shows"}},
		{whole, "0", "0", []string{
			"p/f.go:3: no test calls the function, which whole shows",
			"p/f.go:4: no test calls the function, which whole shows",
			"p/f.go:2: no test runs whole",
		}},
		{inner, "1", "1", nil},
		{inner, "0", "0", []string{"p/f.go:4: no test runs inner"}},
	} {
		blocks, err := parse("mode: atomic\n" +
			module + "p/f.go:3.10,4.11 1 " + c.outer + "\n" + module + "p/f.go:4.11,6.3 1 " + c.within + "\n")
		require.NoError(t, err)
		missed, err := missedBy(c.r, []byte(source), blocks["p/f.go"])
		require.NoError(t, err)
		require.Equal(t, c.want, missed, c)
		missed, err = missedBy(c.r, []byte(strings.Replace(source, "package p", "package main", 1)), blocks["p/f.go"])
		require.NoError(t, err)
		require.Empty(t, missed)
	}
}
