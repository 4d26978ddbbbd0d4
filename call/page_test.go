package call

import (
	"encoding/hex"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// page is the specification, which is for people who write another implementation.
func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../docs/call.md")
	require.NoError(t, err)
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}

// Each block of bytes on the page is what this package writes, and reads.
func TestPageExample(t *testing.T) {
	id := func(call uint64) callID { return callID{0xa0a1a2a3a4a5a6a7, call} }
	examples := []struct {
		name string
		wire []byte
		want frame
	}{
		{"Request one", requestFrame(id(1), 5*time.Second, []byte("one")), frame{kind: kindRequest, id: id(1), timeout: 5 * time.Second, rest: []byte("one")}},
		{"Request two", requestFrame(id(2), 0, []byte("two")), frame{kind: kindRequest, id: id(2), rest: []byte("two")}},
		{"Reply two", replyFrame(id(2), []byte("2")), frame{kind: kindReply, id: id(2), rest: []byte("2")}},
		{"Failure one", failureFrame(id(1), codeFailed, "no"), frame{kind: kindFailure, id: id(1), code: codeFailed, rest: []byte("no")}},
		{"Failure busy", failureFrame(id(3), codeBusy, ""), frame{kind: kindFailure, id: id(3), code: codeBusy, rest: []byte{}}},
		{"Cancel", cancelFrame(id(3)), frame{kind: kindCancel, id: id(3), rest: []byte{}}},
	}
	blocks := regexp.MustCompile("(?s)```hex\n# ([^\n]*)\n(.*?)```").FindAllStringSubmatch(page(t), -1)
	require.Len(t, blocks, len(examples))
	require.Equal(t, len(examples), strings.Count(page(t), "```")/2)
	for i, block := range blocks {
		require.Equal(t, examples[i].name, block[1])
		var golden []byte
		for line := range strings.Lines(block[2]) {
			digits, _, _ := strings.Cut(strings.TrimSpace(line), "  ") // what follows is a comment
			bytes, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
			require.NoError(t, err, line)
			golden = append(golden, bytes...)
		}
		require.Equal(t, golden, examples[i].wire, block[1])
		f, err := parse(golden)
		require.NoError(t, err)
		require.Equal(t, examples[i].want, f)
	}
}

// The fields of each kind follow each other without a gap, and are as many bytes as this package writes.
func TestPageTables(t *testing.T) {
	want := map[string]int{
		"Messages": header, "Request": atRequest, "Reply": header, "Failure": atText,
	}
	var part string
	sizes := map[string]int{"Request": header, "Reply": header, "Failure": header}
	row := regexp.MustCompile(`^\| (\d+) \| (\d+|n) \| `)
	for line := range strings.Lines(page(t)) {
		if strings.HasPrefix(line, "#") {
			part = strings.TrimSpace(strings.TrimLeft(line, "#"))
		}
		field := row.FindStringSubmatch(line)
		if field == nil {
			continue
		}
		offset, _ := strconv.Atoi(field[1])
		require.Equal(t, sizes[part], offset, part)
		if field[2] != "n" {
			size, _ := strconv.Atoi(field[2])
			sizes[part] += size
		}
	}
	require.Equal(t, want, sizes)
}

// The page has each code, and the bounds.
func TestPageNumbers(t *testing.T) {
	text := page(t)
	for _, c := range []code{codeFailed, codeBusy, codeNotServed, codeCanceled} {
		require.Regexp(t, `\n\| `+strconv.Itoa(int(c))+` \| `, text)
	}
	for _, n := range []string{"65,536", "serves 256", "4,096"} {
		require.Contains(t, text, n)
	}
	require.Equal(t, []int{65_536, 256, 4_096}, []int{maxCalls, defaultHandlers, maxText})
}

// What is no frame is an error, and what later versions may add is none.
func TestParse(t *testing.T) {
	whole := requestFrame(callID{1, 2}, 0, nil)
	for n := range whole {
		_, err := parse(whole[:n])
		require.Error(t, err, n)
	}
	for _, k := range []kind{kindReply, kindCancel} {
		_, err := parse(start(k, callID{1, 2}, 0)[:header-1])
		require.Error(t, err)
	}
	_, err := parse(start(kindFailure, callID{1, 2}, 0))
	require.Error(t, err)
	for first := range 256 {
		p := append([]byte{byte(first)}, whole[1:]...)
		_, err := parse(p)
		k := kind(first & 15)
		require.Equal(t, first>>4 != version || k == 0 || k > kindCancel && k < optional, err != nil, "%#x", first)
	}
	_, err = parse([]byte{version<<4 | 15})
	require.NoError(t, err)
	p := append(cancelFrame(callID{1, 2}), "later"...)
	p[atFlags] = 0xff
	f, err := parse(p)
	require.NoError(t, err)
	require.Equal(t, kindCancel, f.kind)
	_, err = parse(requestFrame(callID{1, 2}, -1, nil))
	require.ErrorContains(t, err, "2⁶³")
}

// What codes mean to who makes calls, also those that are not known yet.
func TestCodes(t *testing.T) {
	for c := range 256 {
		f, err := parse(failureFrame(callID{1, 2}, code(c), "text"))
		require.NoError(t, err)
		err = f.failure()
		var remote *RemoteError
		switch {
		case c < 128:
			require.ErrorAs(t, err, &remote)
			require.Equal(t, "text", remote.Message)
		case c == 128:
			require.Equal(t, ErrBusy, err)
		case c == 129:
			require.Equal(t, ErrNotServed, err)
		default:
			require.Equal(t, ErrRefused, err)
		}
		require.NotErrorIs(t, err, ErrLost)
	}
}

// FuzzParse wants whatever is a frame to be written as it was read, but for what must be ignored.
func FuzzParse(f *testing.F) {
	id := callID{3, 4}
	for _, p := range [][]byte{
		requestFrame(id, time.Second, []byte("request")), replyFrame(id, nil), failureFrame(id, codeFailed, "text"),
		cancelFrame(id), {version<<4 | 9}, nil,
	} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		got, err := parse(p)
		if err != nil || got.kind >= optional {
			require.Zero(t, got.id)
			require.Nil(t, got.rest)
			return
		}
		var again []byte
		switch got.kind {
		case kindRequest:
			again = requestFrame(got.id, got.timeout, got.rest)
		case kindReply:
			again = replyFrame(got.id, got.rest)
		case kindFailure:
			if len(got.rest) > maxText || !utf8.Valid(got.rest) {
				return
			}
			again = failureFrame(got.id, got.code, string(got.rest))
		case kindCancel:
			again = append(cancelFrame(got.id), got.rest...)
		}
		again[atFlags] = p[atFlags]
		require.Equal(t, p, again)
		require.Equal(t, len(got.rest), cap(got.rest))
	})
}
