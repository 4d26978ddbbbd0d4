package report

import (
	"errors"
	"strings"
	"testing"

	"github.com/netasync/netasync/bench/internal/result"
)

func TestInsertReplacesWhatARunSays(t *testing.T) {
	f := &result.File{Rounds: 2}
	for _, speed := range []float64{3e6, 1e6} {
		c := result.Case{Key: "echo-100x100x16", Title: "a title"}
		sample(f, c, "inline", map[string]float64{result.PerSecond: speed})
		sample(f, c, "gnet", map[string]float64{result.PerSecond: 2e6})
		sample(f, c, "chan", map[string]float64{result.PerSecond: 1e6})
	}
	find := func(run string) (*result.File, error) {
		if run != "latest" {
			return nil, nil
		}
		return f, nil
	}
	const text = "before\n<!-- from latest.json: servers -->\nold\n<!-- end -->\nbetween\n" +
		"<!-- from later.json: broadcasts -->\nkept\n<!-- end -->\n<!-- from latest.json: summary --><!-- end -->\n" +
		"<!-- from latest.json: summary -->\n<!-- end -->\nafter\n"
	out, err := Insert(text, find)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"before\n", "\nbetween\n", "\nkept\n", "\nafter\n",
		"| **callbacks** | netasync, Inline | 2.00M (1.00M..3.00M) |",
		"|  | gnet | 2.00M (2.00M..2.00M) |",
		"| **channels** | netasync, channels | 1.00M (1.00M..1.00M) |",
		"| callbacks on the event loop (`Inline`) | gnet | 1.00 (0.50..1.50) | – |",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	if strings.Contains(out, "\nold\n") {
		t.Error("what was there is still there")
	}
	if again, err := Insert(out, find); err != nil || again != out {
		t.Errorf("a second time it says something else: %v\n%s", err, again)
	}
}

func TestInsertTellsOfWhatItCannotWrite(t *testing.T) {
	broken := errors.New("broken")
	for text, find := range map[string]func(string) (*result.File, error){
		"<!-- from latest.json: nonsense -->\n<!-- end -->": func(string) (*result.File, error) { return &result.File{}, nil },
		"<!-- from latest.json: targets -->\n<!-- end -->":  func(string) (*result.File, error) { return nil, broken },
	} {
		if out, err := Insert(text, find); err == nil || out != text {
			t.Errorf("%s: %v\n%s", text, err, out)
		}
	}
}
