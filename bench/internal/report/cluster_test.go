package report

import (
	"slices"
	"strings"
	"testing"

	"github.com/netasync/netasync/bench/internal/measure"
	"github.com/netasync/netasync/bench/internal/result"
)

// rehearsal is a file in which each subject of each case of clusters has each figure that a table shows.
func rehearsal() *result.File {
	f := &result.File{Machine: result.Machine{Versions: map[string]string{
		"github.com/nats-io/nats.go": "v1", "github.com/go-zeromq/zmq4": "v2",
	}}}
	for range 2 {
		for _, c := range measure.Cluster(measure.Asked{}).Cases {
			for _, subject := range c.Subjects() {
				values := map[string]float64{}
				for _, t := range clusterTables {
					for _, shown := range t.columns {
						values[shown.metric] = 1234
					}
				}
				f.Add(c.Info(), result.Sample{Subject: subject, Values: values})
			}
		}
	}
	return f
}

func TestClusterTablesShowAllThatIsMeasured(t *testing.T) {
	text := clusters(rehearsal())
	shown := 0
	for _, c := range measure.Cluster(measure.Asked{}).Cases {
		key := c.Info().Key
		if !slices.ContainsFunc(clusterTables, func(t clusterTable) bool {
			return slices.ContainsFunc(t.columns, func(s shownIn) bool { return s.key == key })
		}) {
			t.Errorf("no table shows %s", key)
		}
		for _, subject := range c.Subjects() {
			name := clusterName(key, subject)
			if shown++; name == "" || !strings.Contains(text, "| "+name+" | ") {
				t.Errorf("%s of %s, as %q, is not in\n%s", subject, key, name, text)
			}
		}
	}
	if shown < 20 {
		t.Errorf("only %d subjects", shown)
	}
	if !strings.Contains(text, "nats.go v1") || strings.Contains(text, "zmq4") {
		t.Errorf("of the versions, those of NATS are told alone:\n%s", text)
	}
}

// Each column is of a case that is measured: one whose key has changed would be empty for ever.
func TestClusterColumnsAreOfCases(t *testing.T) {
	for _, table := range clusterTables {
		for _, c := range table.columns {
			if !slices.ContainsFunc(measure.Cluster(measure.Asked{}).Cases, func(m measure.Case) bool { return m.Info().Key == c.key }) {
				t.Errorf("%q is of %s, which is no case", c.heading, c.key)
			}
		}
	}
}

func TestClusterTablesOfARunWithoutSomeCases(t *testing.T) {
	f := &result.File{}
	f.Add(result.Case{Key: "cluster-size"}, result.Sample{Subject: "node", Values: map[string]float64{result.Binary: 2 << 20}})
	if text := clusters(f); !strings.Contains(text, "| the same as a node of a cluster | 2.00 | – |") || strings.Contains(text, "Broadcast") {
		t.Errorf("there is one table:\n%s", text)
	}
}
