package result

import (
	"path/filepath"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0}, {[]float64{3}, 3}, {[]float64{4, 1}, 2.5}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 3, 2}, 2.5},
	} {
		if got := Median(c.values); got != c.want {
			t.Errorf("Median(%v) = %v, want %v", c.values, got, c.want)
		}
	}
}

func TestFileKeepsMediansAndSpread(t *testing.T) {
	f := &File{Machine: ThisMachine(time.Unix(0, 0)), Rounds: 3}
	for _, speed := range []float64{30, 10, 20} {
		f.Add(Case{Key: "k", Title: "a case"}, Sample{
			Subject: "net", Values: map[string]float64{PerSecond: speed},
			Latency: []Quantile{{50, speed / 10}},
		})
	}
	path := filepath.Join(t.TempDir(), "run.json")
	if err := f.Write(path); err != nil {
		t.Fatal(err)
	}
	back, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	got := back.Lookup("k", "net", PerSecond)
	if got == nil || got.Median != 20 || got.Min != 10 || got.Max != 30 || len(got.Rounds) != 3 {
		t.Errorf("came back as %+v", got)
	}
	if q := back.Tables[0].Rows[0].Latency; len(q) != 1 || q[0].Micros != 2 {
		t.Errorf("the distribution came back as %v", q)
	}
	if back.Lookup("k", "gnet", PerSecond) != nil || back.Lookup("other", "net", PerSecond) != nil {
		t.Error("found what was never measured")
	}
}

func TestShortNames(t *testing.T) {
	for path, want := range map[string]string{
		"github.com/panjf2000/gnet/v2": "gnet", "github.com/coder/websocket": "websocket", "Erlang/OTP": "Erlang/OTP",
	} {
		if got := short(path); got != want {
			t.Errorf("short(%q) = %q, want %q", path, got, want)
		}
	}
}
