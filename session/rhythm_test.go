package session

import (
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// beats sets the two times of heartbeats.
func beats(period, timeout time.Duration) func(*Config) {
	return func(c *Config) { c.HeartbeatPeriod, c.HeartbeatTimeout, c.Greets = period, timeout, true }
}

var slowBeats = beats(5*time.Second, 20*time.Second)

// A side with the default heartbeats keeps a connection to one that wants to hear it more often,
// whichever of them dialed, and whether that one gives it four periods or only two.
func TestSlowSideTakesOverTheFasterPeriod(t *testing.T) {
	for name, fast := range map[string]func(*Config){
		"1 s, 4 s":        beats(time.Second, 4*time.Second),
		"1 s, 2 s":        beats(time.Second, 2*time.Second),
		"200 ms, 500 ms":  beats(200*time.Millisecond, 500*time.Millisecond),
		"60 ms, 240 ms":   beats(60*time.Millisecond, 240*time.Millisecond),
		"4 s, 8 s":        beats(4*time.Second, 8*time.Second),
		"same as default": slowBeats,
	} {
		for _, dialedIsFast := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					near, far := newWires(1000)
					dials, accepts := slowBeats, fast
					if dialedIsFast {
						dials, accepts = fast, slowBeats
					}
					dialed, _ := newFake(t, true, dials)
					accepted, _ := newFake(t, false, accepts)
					dialed.dialing()
					go near.serve(dialed.attach(near, 0), false)
					go far.serve(accepted.attach(far, 0), true)
					time.Sleep(10 * time.Minute)
					require.Equal(t, StateConnected, dialed.State())
					require.Equal(t, StateConnected, accepted.State())
					dialed.CloseNow(errCut)
					synctest.Wait()
					accepted.CloseNow(errCut)
				})
			})
		}
	}
}

// heartbeaten returns how many heartbeats a session with a period of 5 s sends in a minute to a peer
// that does as it is told.
func heartbeaten(t *testing.T, dialed bool, peer func(feed func(p []byte))) int {
	t.Helper()
	s, _ := newFake(t, dialed, beats(5*time.Second, time.Hour))
	s.cfg.Greets = false
	s.dialing()
	link := newFakeLink(unbounded)
	c := s.attach(link, 0)
	go func() {
		for range s.ReadChan() {
		}
	}()
	start := time.Now()
	peer(func(p []byte) {
		_, _, err := c.Feed(p, false)
		require.NoError(t, err)
	})
	time.Sleep(time.Minute - time.Since(start))
	synctest.Wait()
	n := len(link.written()) / len(testkit.Frames(""))
	s.CloseNow(errCut)
	return n
}

// every feeds p again and again, for almost a minute.
func every(d time.Duration, p []byte) func(feed func([]byte)) {
	return func(feed func([]byte)) {
		for range (time.Minute - time.Millisecond) / d {
			time.Sleep(d)
			feed(p)
		}
	}
}

// Only silence before a heartbeat tells a peer's period, and there is a bound for what it may cost.
func TestWhatIsNoRhythm(t *testing.T) {
	heartbeat := testkit.Frames("")
	for name, c := range map[string]struct {
		dialed bool
		peer   func(feed func([]byte))
		want   int
	}{
		"silence":             {true, func(func([]byte)) {}, 12},
		"a flood":             {true, every(time.Millisecond, heartbeat), 12},
		"runs of them":        {true, every(time.Millisecond, testkit.Frames("", "", "", "")), 12},
		"as many as we take":  {false, every(100*time.Millisecond, heartbeat), 599},
		"more than we take":   {false, every(60*time.Millisecond, heartbeat), 599},
		"messages":            {true, every(time.Second, testkit.Frames("m")), 12},
		"behind messages":     {true, every(time.Second, testkit.Frames("m", "")), 12},
		"a period like ours":  {true, every(4*time.Second, heartbeat), 12},
		"a period of its own": {false, every(time.Second, heartbeat), 59},
		"a greeting": {true, func(feed func([]byte)) {
			time.Sleep(time.Second)
			feed(heartbeat)
		}, 12},
		"a greeting, then every second": {true, func(feed func([]byte)) {
			feed(heartbeat)
			every(time.Second, heartbeat)(feed)
		}, 59},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				require.InDelta(t, c.want, heartbeaten(t, c.dialed, c.peer), 1)
			})
		})
	}
}

// A peer that sends heartbeats less often again gets less of ours, too.
func TestRhythmThatSlowsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := heartbeaten(t, false, func(feed func([]byte)) {
			for range 10 {
				time.Sleep(time.Second)
				feed(testkit.Frames(""))
			}
			for range 4 {
				time.Sleep(10 * time.Second)
				feed(testkit.Frames(""))
			}
		})
		require.InDelta(t, 10+20+6, n, 2) // two long silences prove it
	})
}

// What waited while we did not read says nothing about the peer's period.
func TestPausesOfOurOwnAreNoRhythm(t *testing.T) {
	const s, ms = int64(time.Second), int64(time.Millisecond)
	var r rhythm
	require.Equal(t, 5*s, r.heard(5*s))
	require.Zero(t, r.heard(5*s+10*ms), "no silence")
	r.paused(5*s + 30*ms) // is short
	require.Equal(t, 5*s-10*ms, r.heard(10*s))
	r.paused(12 * s)
	require.Zero(t, r.heard(12*s), "it may have come at any time")
	require.Zero(t, r.heard(15*s), "its silence began at any time")
	require.Equal(t, 5*s, r.heard(20*s))
}

// Two ends with the same period do not hurry each other on, though what carries them may be late by a quarter of it.
func TestEqualsDoNotHurryEachOther(t *testing.T) {
	var a, b rhythm
	const period = int64(time.Second)
	beatA, beatB, n := period, period, 0
	uneven := func() int64 { return rand.Int64N(period / 4) }
	lastA, lastB := int64(0), int64(0)
	for now := int64(0); now < int64(24*time.Hour); n++ {
		nextA, nextB := lastA+beatA, lastB+beatB
		if nextA < nextB {
			now, lastA = nextA, nextA
			if gap := b.heard(max(b.read, now+uneven())); gap > 0 {
				beatB = adopted(period, b.beat(gap))
			}
		} else {
			now, lastB = nextB, nextB
			if gap := a.heard(max(a.read, now+uneven())); gap > 0 {
				beatA = adopted(period, a.beat(gap))
			}
		}
	}
	require.Less(t, n, 2*24*3600*5/4, "heartbeats of both in a day")
}

// The middle of three, and the shorter of two.
func TestBeatOfARhythm(t *testing.T) {
	for _, c := range [][4]int64{
		{7, 7, 7, 7}, {5, 9, 5, 5}, {9, 5, 5, 5}, {1, 2, 3, 2}, {3, 2, 1, 2}, {2, 9, 1, 2}, {9, 1, 9, 9}, {1, 9, 1, 1},
	} {
		var r rhythm
		require.Equal(t, c[0], r.beat(c[0]))
		require.Equal(t, min(c[0], c[1]), r.beat(c[1]))
		require.Equal(t, c[3], r.beat(c[2]), "%v", c)
	}
}

func TestAdopted(t *testing.T) {
	const s, ms = int64(time.Second), int64(time.Millisecond)
	for _, c := range []struct{ ours, peers, want int64 }{
		{5 * s, 5 * s, 5 * s},
		{5 * s, 9 * s, 5 * s},
		{4 * s, 3 * s, 4 * s},
		{4 * s, 3*s - 1, 3*s - 1},
		{5 * s, 100 * ms, 100 * ms},
		{5 * s, 60 * ms, 100 * ms},
		{80 * ms, 50 * ms, 80 * ms},
		{math.MaxInt64, s, s},
		{math.MaxInt64, math.MaxInt64, math.MaxInt64},
	} {
		require.Equal(t, c.want, adopted(c.ours, c.peers), "%v", c)
	}
}
