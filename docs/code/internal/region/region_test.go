package region

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	const file = "package p\n\n//doc:begin all\n\nfunc f() {\n\t//doc:skip\n\tg()\n\th()\n\t//doc:resume\n\ti()\n}\n\n//doc:end\n" +
		"func j() {\n\t\t//doc:begin part\n\t\tif k {\n\n\t\t\tl()\n\t\t}\n\t\t//doc:end\n}\n"
	got, err := parse("page/file.go", file)
	require.NoError(t, err)
	require.Equal(t, []Region{
		{"page/file.go", "all", 3, 13, "func f() {\n\t…\n\ti()\n}\n"},
		{"page/file.go", "part", 15, 20, "if k {\n\n\tl()\n}\n"},
	}, got)
	require.Equal(t, "page/file.go#part", got[1].ID())
	require.Equal(t, "page", got[1].Dir())
}

func TestParseErrors(t *testing.T) {
	for file, want := range map[string]string{
		"//doc:begin a\nx\n":                           "f:1: region a has no end",
		"//doc:begin a\n//doc:begin b\n":               "f:2: //doc:begin b must not stand here",
		"//doc:begin a\nx\n//doc:skip\n//doc:end\n":    "f:4: //doc:end must not stand here",
		"//doc:begin a\nx\n//doc:resume\n":             "f:3: //doc:resume must not stand here",
		"//doc:begin a\nx\n//doc:end\n//doc:begin a\n": "f:4: there is a region a already",
		"//doc:begin a\n\n//doc:end\n":                 "f:3: region a is empty",
		"//doc:begin\n":                                "f:1: //doc:begin stands in no region",
		"//doc:end\n":                                  "f:1: //doc:end stands in no region",
		"//doc:begin a\nx\n//doc:ned\n":                "f:3: //doc:ned must not stand here",
		"//doc:begin a\n//doc:skip\n//doc:skip\n":      "f:3: //doc:skip must not stand here",
	} {
		_, err := parse("f", file)
		require.EqualError(t, err, want)
	}
}
