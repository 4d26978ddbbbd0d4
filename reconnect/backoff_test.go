package reconnect

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The delays of the defaults, with the least, the middle and the most jitter.
func TestDelays(t *testing.T) {
	b, err := Backoff{}.Resolve()
	require.NoError(t, err)
	steps := []struct {
		failures         int
		least, mid, most float64 // milliseconds
	}{
		{0, 80, 100, 120},
		{1, 128, 160, 192},
		{2, 204.8, 256, 307.2},
		{8, 3435.97, 4294.97, 5153.96},
		{9, 4000, 5000, 6000},
		{1 << 30, 4000, 5000, 6000},
	}
	for _, step := range steps {
		for _, c := range []struct{ random, want float64 }{{0, step.least}, {0.5, step.mid}, {1, step.most}} {
			got := b.Delay(step.failures, c.random)
			require.InDelta(t, c.want, float64(got)/float64(time.Millisecond), 0.01, "after %d failures", step.failures)
		}
	}
}

func TestFixedDelayHasNoJitter(t *testing.T) {
	b, err := FixedDelay(time.Second).Resolve()
	require.NoError(t, err)
	for _, random := range []float64{0, 0.3, 0.999} {
		require.Equal(t, time.Second, b.Delay(7, random))
	}
}

// Jitter spreads a delay of one second from the least to the most of each line.
func TestJitter(t *testing.T) {
	for _, c := range []struct{ jitter, least, most float64 }{
		{0, 0.8, 1.2},
		{0.001, 0.999, 1.001},
		{0.2, 0.8, 1.2},
		{0.5, 0.5, 1.5},
		{0.75, 0.25, 1.25},
		{1, 0, 1},
	} {
		b, err := Backoff{Initial: time.Second, Jitter: c.jitter}.Resolve()
		require.NoError(t, err)
		require.InDelta(t, c.least, b.Delay(0, 0).Seconds(), 1e-6, "%v", c.jitter)
		require.InDelta(t, c.most, b.Delay(0, 1).Seconds(), 1e-6, "%v", c.jitter)
	}
	b := FixedDelay(time.Second)
	b.Jitter = 1
	b, err := b.Resolve()
	require.NoError(t, err)
	require.Equal(t, time.Second/2, b.Delay(3, 0.5))
}

func TestBadJitter(t *testing.T) {
	for _, jitter := range []float64{-1, -1e-9, 1.001, math.NaN(), math.Inf(1), math.Inf(-1)} {
		_, err := Backoff{Jitter: jitter}.Resolve()
		require.ErrorContains(t, err, "Backoff.Jitter", "%v", jitter)
	}
}

func TestBadBackoffNamesTheField(t *testing.T) {
	for field, b := range map[string]Backoff{
		"Backoff.Initial": {Initial: -1},
		"Backoff.Max":     {Max: -1},
		"Backoff.Factor":  {Factor: 0.5},
		"Backoff.Jitter":  {Jitter: -1},
		"FixedDelay":      FixedDelay(0),
	} {
		_, err := b.Resolve()
		require.ErrorContains(t, err, field)
	}
	_, err := Backoff{Initial: time.Minute, Max: time.Second}.Resolve()
	require.ErrorContains(t, err, "Backoff.Max")
	b, err := Backoff{Initial: time.Minute}.Resolve()
	require.NoError(t, err)
	require.Equal(t, time.Minute, b.Max)
}
