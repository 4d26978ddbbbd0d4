package main

import (
	"os"
	"strings"
	"testing"

	"github.com/netasync/netasync/bench/internal/measure"
)

// After a run, `make readme` puts its figures into the READMEs.
func TestTheReadmesSayWhatTheRunsSay(t *testing.T) {
	places := 0
	for _, path := range readmes {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		places += strings.Count(string(text), "<!-- from ")
		want, err := inserted(path, "results")
		if err != nil {
			t.Fatal(err)
		}
		if string(text) != want {
			t.Errorf("%s is not what the runs say: make readme", path)
		}
	}
	if places < 8 {
		t.Errorf("only %d tables come from runs", places)
	}
}

// Each plot that a README shows is one that a run draws.
func TestPlotsThatTheReadmesShow(t *testing.T) {
	drawn := map[string]bool{"latency": true}
	for _, p := range []measure.Profile{measure.Full(measure.Asked{}), measure.Broadcast(measure.Asked{}), measure.Cluster(measure.Asked{})} {
		for _, c := range p.Cases {
			drawn[c.Info().Key] = true
		}
	}
	shown := 0
	for _, path := range readmes {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split(string(text), "results/")[1:] {
			name, _, isPlot := strings.Cut(part, ".svg)")
			if !isPlot || strings.ContainsAny(name, " )\n*") {
				continue
			}
			if shown++; !drawn[name] && !strings.HasPrefix(name, "growth-") {
				t.Errorf("%s shows %s.svg, which nothing draws", path, name)
			}
		}
	}
	if shown < 10 {
		t.Errorf("only %d plots are shown", shown)
	}
}
