package prom_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/prom"
)

// Each metric shows the figure that it is to show.
func TestEachFigureHasItsMetric(t *testing.T) {
	requireGolden(t, "everything.txt", scrape(t, everything()).String())
}

// No figure is forgotten: each changes a metric, or is told in another way.
func TestNoFigureIsForgotten(t *testing.T) {
	elsewhere := []string{
		"Accepted", "Acked", "Returned", "Undeliverable", // for the account of a program, see netasync.Totals
		"Attempts", // those that are over have a result
	}
	figuresOf := func(v reflect.Value, set func(reflect.Value), source *scripted) (silent []string) {
		for i := range v.NumField() {
			field := v.Field(i)
			if field.Kind() == reflect.Array {
				field = field.Index(field.Len() - 1)
			}
			if field.Kind() == reflect.Struct {
				continue
			}
			before := scrape(t, source)
			set(field)
			if reflect.DeepEqual(before, scrape(t, source)) {
				silent = append(silent, v.Type().Field(i).Name)
			}
		}
		return silent
	}
	change := func(v reflect.Value) {
		if v.CanInt() {
			v.SetInt(v.Int() + 1)
		} else {
			v.SetUint(v.Uint() + 1)
		}
	}
	source := everything()
	totals := source.totals["agents"]
	require.ElementsMatch(t, elsewhere, figuresOf(reflect.ValueOf(&totals).Elem(), func(v reflect.Value) {
		change(v)
		source.totals["agents"] = totals
	}, source))
	// Sums that have a metric by name: netasync_sessions, netasync_connections_total, and by reason.
	require.ElementsMatch(t, []string{"Sessions", "Detached", "Accepted", "Refused"},
		figuresOf(reflect.ValueOf(&source.stats).Elem(), change, source))
	require.Empty(t, figuresOf(reflect.ValueOf(&source.stats.RefusedBy).Elem(), change, source))
}

// What has the same name in several sources is summed, and so is what has no name.
func TestSourcesAreSummed(t *testing.T) {
	first, second := everything(), everything()
	second.totals["peers"] = netasync.Totals{Received: 7}
	once, sum := scrape(t, first), scrape(t, first, second)
	for key, value := range once {
		require.Equal(t, 2*value, sum[key], key)
	}
	require.EqualValues(t, 7, sum[`netasync_messages_total{direction="receive",name="peers"}`])
	require.Equal(t, len(once)+len(scrape(t, &scripted{totals: second.totals}))-len(scrape(t, &scripted{totals: first.totals})), len(sum))
}

// Counters are exact as long as a float64 is, and are not rounded before they are summed.
func TestCountersAreExact(t *testing.T) {
	const most uint64 = 1 << 53
	half := func(n uint64) *scripted {
		return &scripted{totals: map[string]netasync.Totals{"n": {ReceivedBytes: n}}}
	}
	key := `netasync_message_bytes_total{direction="receive",name="n"}`
	require.EqualValues(t, most-1, scrape(t, half(most-1))[key])
	require.EqualValues(t, most+2, scrape(t, half(most+1), half(1))[key], "most + 1 is no float64")
}

// A name that is no text is shown as well as it can be. It must not take the other figures away.
func TestNamesThatAreNoText(t *testing.T) {
	all := scrape(t, &scripted{totals: map[string]netasync.Totals{
		"a\xff": {Received: 1}, "a\xfe": {Received: 2}, "": {Received: 3}, "\"\n\\": {Received: 4}, "Ünï": {Received: 5},
	}})
	received := func(name string) float64 { return all[`netasync_messages_total{direction="receive",name=`+name+`}`] }
	require.EqualValues(t, 3, received(`"a�"`), "both")
	require.EqualValues(t, 3, received(`""`))
	require.EqualValues(t, 4, received(`"\"\n\\"`))
	require.EqualValues(t, 5, received(`"Ünï"`))
}

// Without sources, or before a source has a name, there is nothing to show, and that is no error.
func TestNothingToShow(t *testing.T) {
	require.Empty(t, scrape(t))
	for key := range scrape(t, &scripted{}) {
		require.NotContains(t, key, "name=")
	}
}

// All that a collector may ever send has been described: a registry that checks that takes it.
func TestDescriptors(t *testing.T) {
	descs := make(chan *prometheus.Desc, 100)
	prom.NewCollector().Describe(descs)
	close(descs)
	var names []string
	for desc := range descs {
		names = append(names, strings.Split(desc.String(), `"`)[1])
	}
	require.Len(t, names, len(gather(t, everything())))
	require.Equal(t, names, slices.Compact(slices.Clone(names)))
}

// All label values but names are words in snake_case.
func TestLabelValuesAreWords(t *testing.T) {
	for _, f := range gather(t, everything()) {
		require.True(t, utf8.ValidString(f.GetHelp()))
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				require.Regexp(t, `^[a-z]+(_[a-z]+)*$`, l.GetValue())
			}
		}
	}
}

// A source whose scrape is in two collectors of one registry is refused, unless they have labels.
func TestTwoCollectors(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(prom.NewCollector(everything())))
	require.ErrorAs(t, registry.Register(prom.NewCollector(everything())), new(prometheus.AlreadyRegisteredError))

	registry = prometheus.NewPedanticRegistry()
	for _, plant := range []string{"east", "west"} {
		labelled := prometheus.WrapRegistererWith(prometheus.Labels{"plant": plant}, registry)
		require.NoError(t, labelled.Register(prom.NewCollector(everything())))
	}
	families, err := registry.Gather()
	require.NoError(t, err)
	require.Len(t, flatten(families), 2*len(scrape(t, everything())))
}
