package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/netasynctest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// latency is how long everything is under way, each way.
const latency = 10 * time.Millisecond

// inMemory makes options of a command line whose ends meet in a network in memory.
func inMemory(t *testing.T, args string) (options, *netasynctest.Network) {
	t.Helper()
	o, err := parse(append([]string{"-addr", "collector:1"}, strings.Fields(args)...))
	require.NoError(t, err)
	n := netasynctest.NewNetwork(t)
	o.newEngine = func(end string) (*netasync.Engine, error) {
		return n.Engine(end, netasync.EngineOptions{}), nil
	}
	for _, host := range []string{"sensors", "collector"} { // a link is between hosts that there are
		n.Engine(host, netasync.EngineOptions{})
	}
	n.Link("sensors", "collector").Latency(latency, 0)
	return o, n
}

// outcome is what the last three lines of the program say.
type outcome struct {
	Sensors, Seconds, Restarts, Connections, Dials, Most int
	Accepted, Received, Dropped, Queued, Lost            int
	Skipped, Misplaced                                   int
}

const summary = "%d sensors, %ds, %d restarts: %d connections, %d dials, at most %d in one second\n" +
	"accepted %d = received %d + dropped %d + queued %d + lost with a connection %d\n" +
	"by their numbers: %d never came, %d came twice or out of order\n"

// play runs the program in a bubble, and returns its lines and what they end with.
func play(t *testing.T, args string) (lines []string, o outcome) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		asked, _ := inMemory(t, args)
		require.NoError(t, run(t.Context(), asked, &out))
		text := strings.SplitAfter(out.String(), "\n")
		require.Equal(t, []string{"listening collector:1\n", head}, text[:2])
		lines = text[2 : len(text)-4]
		_, err := fmt.Sscanf(strings.Join(text[len(text)-4:], ""), summary,
			&o.Sensors, &o.Seconds, &o.Restarts, &o.Connections, &o.Dials, &o.Most,
			&o.Accepted, &o.Received, &o.Dropped, &o.Queued, &o.Lost, &o.Skipped, &o.Misplaced)
		require.NoError(t, err, out.String())
	})
	require.Equal(t, o.Accepted, o.Received+o.Dropped+o.Queued+o.Lost, "%+v", o)
	require.Zero(t, o.Misplaced)
	return lines, o
}

// near wants a figure to be right but for a tick of all sensors, as clocks of several goroutines
// strike at once.
func near(t *testing.T, want, got, sensors int) {
	t.Helper()
	require.InDelta(t, want, got, float64(sensors))
}

// The collector is killed twice. All sensors come back each time, and send the newest readings that
// they have kept; what is missing is exactly what was dropped, and what was under way.
func TestCollectorIsRestarted(t *testing.T) {
	// It is up to 4 s, from 6 to 10 s and from 12 s on, and no sensor waits for longer than 2 s.
	lines, o := play(t, "-sensors 50 -every 20ms -buffer 10 -restart 4s -down 2s -for 15500ms")
	require.Equal(t, []int{50, 2, 150}, []int{o.Sensors, o.Restarts, o.Connections}, "%+v", o)
	near(t, 50*15500/20, o.Accepted, 50)
	require.GreaterOrEqual(t, o.Dropped, 2*50*(2000/20-10-1), "what was taken while it was down, but for what is kept")
	require.Zero(t, o.Queued)
	require.Equal(t, o.Dropped+o.Lost, o.Skipped)
	require.Len(t, lines, 15)
	form := regexp.MustCompile(`^ +\d+s  (up  |down) .{5} +(\d+) +(\d+) \| +(\d+) +\d+ +\d+ +\d+ \| +\d+\.\d +\d+\n$`)
	for at, connected := range map[int]string{3: "50", 5: "0", 9: "50", 11: "0", 15: "50"} {
		m := form.FindStringSubmatch(lines[at-1])
		require.NotNil(t, m, lines[at-1])
		require.Equal(t, connected, m[2], lines[at-1])
		if connected == "0" {
			require.Equal(t, []string{"down", "500"}, []string{m[1], m[3]}, "each keeps ten: %s", lines[at-1])
			require.NotEqual(t, "0", m[4], "they dial: %s", lines[at-1])
		}
	}
}

// What waits when the program ends while the collector is down is told.
func TestEndsWhileDown(t *testing.T) {
	_, o := play(t, "-sensors 20 -every 50ms -buffer 7 -restart 2s -down 1m -for 10s")
	require.Equal(t, 20*7, o.Queued)
	require.Equal(t, []int{1, 20}, []int{o.Restarts, o.Connections})
	near(t, 20*2000/50, o.Received, 2*20)
}

// Without a restart every reading arrives.
func TestNothingIsLostWithoutAnOutage(t *testing.T) {
	_, o := play(t, "-sensors 20 -every 50ms -restart 0 -for 10s")
	near(t, 20*10000/50, o.Accepted, 20)
	require.Equal(t, o.Accepted, o.Received)
	require.Equal(t, []int{0, 20, 20, 20}, []int{o.Restarts, o.Connections, o.Dials, o.Most})
	require.Zero(t, o.Skipped)
}

// Sensors that have failed at one moment do not dial again at one moment: half of the time before they
// all have, about half of them have.
func TestSensorsAreNoHerd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := inMemory(t, "-sensors 200")
		f, err := newFleet(o, o.addr)
		require.NoError(t, err)
		time.Sleep(3 * latency)
		require.EqualValues(t, 200, f.engine.Stats().Totals.FailedAttempts)
		time.Sleep(250 * time.Millisecond)
		again := int(f.engine.Stats().Totals.Attempts) - 200
		require.InDelta(t, 115, again, 60, "by then some have dialed twice")
		_ = shutNow(f.engine)
	})
}

// heard is a reading that has come.
type heard struct {
	connection uint64
	number     uint64
}

// The readings of each sensor come in order. On one connection none is missing; between two, as many as
// were dropped, or lost with the first.
func TestGapsAreOnlyBetweenConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, n := inMemory(t, "-sensors 20 -every 10ms -buffer 50")
		came := make([][]heard, o.sensors) // a sensor's by its connection's callback, one at a time
		listen := func() *netasync.Engine {
			engine, _ := o.newEngine("collector")
			_, err := engine.Listen(o.addr, netasync.ListenOptions{OnEvent: func(s *netasync.Session, ev netasync.Event) {
				if ev.Kind == netasync.Message {
					sensor, number, ok := decode(ev.Payload)
					require.True(t, ok)
					came[sensor] = append(came[sensor], heard{s.ID(), number})
				}
			}})
			require.NoError(t, err)
			return engine
		}
		collector := listen()
		f, err := newFleet(o, o.addr)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		measured := make(chan error, 1)
		go func() { measured <- f.measure(ctx, o.every) }()

		time.Sleep(3 * time.Second)
		n.Link("sensors", "collector").Cut(io.ErrUnexpectedEOF)
		time.Sleep(3 * time.Second)
		_ = shutNow(collector)
		time.Sleep(3 * time.Second)
		collector = listen()
		time.Sleep(3 * time.Second)
		cancel()
		require.NoError(t, <-measured)
		require.NoError(t, f.engine.Shutdown(testkit.Context(t)))
		for s := range collector.Sessions() {
			<-s.Done() // it has all that was under way
		}
		require.NoError(t, collector.Shutdown(testkit.Context(t)))

		var lost uint64
		for i, s := range f.sensors {
			connections, missing := gaps(t, came[i])
			st := s.Stats()
			require.EqualValues(t, 3, connections)
			require.NotZero(t, st.Dropped)
			require.Equal(t, st.Dropped+st.Sent-uint64(len(came[i])), missing, "sensor %d", i)
			lost += missing - st.Dropped
		}
		require.NotZero(t, lost, "the cut has lost what was under way")
	})
}

// gaps counts the connections of one sensor's readings and what is missing between them.
func gaps(t *testing.T, readings []heard) (connections int, missing uint64) {
	t.Helper()
	var before heard
	for _, r := range readings {
		require.Greater(t, r.number, before.number, "in order, and none twice")
		if r.connection == before.connection {
			require.Equal(t, before.number+1, r.number, "none is missing on one connection")
		} else {
			connections++
			missing += r.number - before.number - 1
		}
		before = r
	}
	return connections, missing
}

// A summary that is not the whole truth is an error.
func TestSummaryIsChecked(t *testing.T) {
	for name, spoil := range map[string]func(*fleet, *collector){
		"":           func(*fleet, *collector) {},
		"but":        func(f *fleet, _ *collector) { f.taken++ },
		"do not add": func(_ *fleet, c *collector) { c.before = 1 << 40 },
		"never came": func(_ *fleet, c *collector) { c.skipped.Add(1) },
		"out of order": func(_ *fleet, c *collector) {
			c.onEvent(nil, netasync.Event{Kind: netasync.Message, Payload: encode(0, 1)})
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			o, _ := inMemory(t, "-sensors 3")
			c := newCollector(o)
			require.NoError(t, c.start())
			f, err := newFleet(o, c.addr)
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			require.NoError(t, f.measure(ctx, o.every))
			end(f, c)
			require.NotZero(t, f.taken)
			spoil(f, c)
			if err := newReport(io.Discard, f, c).summary(); name == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, name)
			}
		})
	}
}
