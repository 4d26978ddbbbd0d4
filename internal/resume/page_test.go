package resume

import (
	"bytes"
	"encoding/hex"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// page is the specification, which is for people who write another implementation.
func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/resume.md")
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}

func framed(body []byte) []byte { return append(order.AppendUint32(nil, uint32(len(body))), body...) }

func controlled(body []byte) []byte { return append(framed(nil), framed(body)...) }

// span returns the n bytes from first on.
func span(first byte, n int) (p []byte) {
	for i := range n {
		p = append(p, first+byte(i))
	}
	return p
}

// example is what the page's example says, in its order.
func example() (names []string, wire map[string][]byte) {
	wire = make(map[string][]byte)
	add := func(name string, bytes []byte) {
		names = append(names, name)
		wire[name] = bytes
	}
	keep, token := Keep{Messages: 16_384, Bytes: 4 << 20}, span(0xa0, 16)
	hello := Hello{Version: Version, Number: 1, Nonce: Nonce(span(0, 16)), Keep: keep}
	add("Hello, new", controlled(hello.Append(nil)))
	welcome := Welcome{Version: Version, Keep: keep, Window: 120, Token: token}
	add("Welcome, new", controlled(welcome.Append(nil)))
	add("message one", framed([]byte("one")))
	add("message two", framed([]byte("two")))
	hello.Continue, hello.Number, hello.Token = true, 2, token
	add("Hello, again", controlled(hello.Append(nil)))
	welcome.Continued, welcome.Received = true, 1
	add("Welcome, continued", controlled(welcome.Append(nil)))
	add("message two, again", framed([]byte("two")))
	add("Question", controlled(AppendQuestion(nil)))
	add("Ack", controlled(AppendAck(nil, 2)))
	add("Bye", controlled((&Bye{Sent: 2}).Append(nil)))
	add("Refuse, stale", controlled((&Refuse{Code: RefuseStale}).Append(nil)))
	hello.Follows = true
	add("Hello, follows", controlled(hello.Append(nil)))
	add("Refuse, go to", controlled((&Refuse{Code: RefuseGoTo, Text: "a:8899"}).Append(nil)))
	return names, wire
}

// TestPageExample wants each block of bytes on the page to be what this package writes.
func TestPageExample(t *testing.T) {
	names, wire := example()
	blocks := regexp.MustCompile("(?s)```hex\n# ([^\n]*)\n(.*?)```").FindAllStringSubmatch(page(t), -1)
	if all := strings.Count(page(t), "```") / 2; all != len(blocks) || all != len(names) {
		t.Fatalf("%d blocks on the page, %d of them of bytes; want %d", all, len(blocks), len(names))
	}
	for i, block := range blocks {
		if block[1] != names[i] {
			t.Errorf("block %d is %q, want %q", i, block[1], names[i])
		}
		var got []byte
		for line := range strings.Lines(block[2]) {
			digits, _, _ := strings.Cut(strings.TrimSpace(line), "  ") // what follows is a comment
			bytes, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
			if err != nil {
				t.Fatalf("%s: %q: %v", block[1], line, err)
			}
			got = append(got, bytes...)
		}
		if !bytes.Equal(got, wire[block[1]]) {
			t.Errorf("%s\n page %x\n want %x", block[1], got, wire[block[1]])
		}
	}
}

// TestPageTables wants the fields of each kind to follow each other without a gap, and to be as many
// bytes as this package writes.
func TestPageTables(t *testing.T) {
	want := map[string]int{
		"Hello":    len((&Hello{}).Append(nil)),
		"Welcome":  len((&Welcome{}).Append(nil)),
		"Refuse":   len((&Refuse{}).Append(nil)),
		"Ack":      len(AppendAck(nil, 0)),
		"Question": len(AppendQuestion(nil)),
		"Bye":      len((&Bye{}).Append(nil)),
	}
	var kind string
	sizes := make(map[string]int)
	row := regexp.MustCompile(`^\| (\d+) \| (\d+|n) \| `)
	for line := range strings.Lines(page(t)) {
		if strings.HasPrefix(line, "#") {
			kind = strings.TrimSpace(strings.TrimLeft(line, "#"))
		}
		field := row.FindStringSubmatch(line)
		if field == nil {
			continue
		}
		if offset, _ := strconv.Atoi(field[1]); offset != sizes[kind] {
			t.Errorf("%s: a field at %d behind %d bytes", kind, offset, sizes[kind])
		}
		if field[2] != "n" {
			size, _ := strconv.Atoi(field[2])
			sizes[kind] += size
		}
	}
	for kind, size := range want {
		if sizes[kind] != size {
			t.Errorf("%s has %d bytes on the page, want %d", kind, sizes[kind], size)
		}
	}
}

// TestPageCodes wants the table of codes to have each code of this package in its order, with what it
// means, and no other.
func TestPageCodes(t *testing.T) {
	want := []string{ // the words that tell a code from the others
		"the version is not spoken",
		"stale",
		"forbidden",
		"cannot be continued",
		"full",
		"shutting down",
		"go to",
	}
	if len(want) != int(RefuseGoTo) {
		t.Fatalf("meanings of %d codes, want %d", len(want), RefuseGoTo)
	}
	_, table, found := strings.Cut(page(t), "\n| code | | what the dialer does |\n|---:|---|---|\n")
	if !found {
		t.Fatal("no table of codes")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	rows := strings.Split(table, "\n")
	if len(rows) != len(want) {
		t.Errorf("%d codes on the page, want %d", len(rows), len(want))
	}
	for i, row := range rows[:min(len(rows), len(want))] {
		cells := strings.Split(row, " | ")
		if len(cells) != 3 || cells[0] != "| "+strconv.Itoa(i+1) || !strings.Contains(cells[1], want[i]) {
			t.Errorf("%q is not code %d (%v) with %q", row, i+1, Code(i+1), want[i])
		}
	}
}
