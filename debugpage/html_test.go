package debugpage

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/session"
)

func TestAgo(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Hour: "0 s", 0: "0.0 s", 9990 * time.Millisecond: "9.9 s", 10 * time.Second: "10 s",
		59900 * time.Millisecond: "59 s", time.Minute: "1 min 00 s", 61 * time.Second: "1 min 01 s",
		time.Hour - 1: "59 min 59 s", time.Hour: "1 h 00 min", 25*time.Hour + time.Minute: "1 d 01 h",
		math.MaxInt64: "106751 d 23 h",
	} {
		require.Equal(t, want, ago(d))
	}
}

func TestNumbers(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.00 KiB", 10 << 10: "10.0 KiB", 100 << 20: "100 MiB", 3 << 30: "3.00 GiB",
		math.MaxUint64: "16384 PiB",
	} {
		require.Equal(t, want, bytesText(n))
	}
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		require.Equal(t, want, countText(n))
	}
}

// A buffer without bounds, which no engine makes, and a message far beyond them are numbers as well.
func TestPercent(t *testing.T) {
	require.Equal(t, 50, percent(&session.Buffer{Cap: 10, Bytes: 100}, 5, 20))
	require.Equal(t, 70, percent(&session.Buffer{Cap: 10, Bytes: 100}, 5, 70))
	require.Equal(t, 0, percent(&session.Buffer{}, 0, 0))
	require.Equal(t, math.MaxInt32, percent(&session.Buffer{Cap: 1, Bytes: 1}, 1, math.MaxInt32))
}

func TestClipped(t *testing.T) {
	require.Equal(t, "short", clipped("short"))
	long := make([]byte, maxText+1)
	require.Len(t, clipped(string(long)), maxText+len("…"))
	cut := clipped("x" + strings.Repeat("ü", maxText))
	require.Equal(t, "x"+strings.Repeat("ü", (maxText-2)/2)+"…", cut, "no part of a character is left")
}

// A session is silent since the later of what came and what went, and for ever without a connection.
func TestIdle(t *testing.T) {
	now := time.Now()
	early, late := now.Add(-time.Minute), now.Add(-time.Second)
	v := view{Now: now}
	require.Equal(t, forever, idle(&session.Stats{}, now))
	require.Equal(t, time.Second, idle(&session.Stats{LastReceived: early, LastSent: late}, now))
	require.Equal(t, time.Second, idle(&session.Stats{LastReceived: late, LastSent: early}, now))
	require.Zero(t, idle(&session.Stats{LastReceived: now.Add(time.Hour)}, now))
	require.Empty(t, v.Idle(Row{}))
	require.Equal(t, "1.0 s", v.Idle(Row{LastReceived: &early, LastSent: &late}))
	require.Equal(t, "1.0 s", v.Idle(Row{LastReceived: &late, LastSent: &early}))
	require.Equal(t, "1.0 s", v.Idle(Row{LastSent: &late}))
}

// The head of the page sums up all names.
func TestSum(t *testing.T) {
	o := Overview{Names: []Named{
		{Connected: 1, Received: 2, Sent: 3, QueuedBytes: 4, UnreadBytes: 5, Dropped: 6, Lost: 7, Unsent: 8},
		{Connected: 10, Received: 20, Sent: 30, QueuedBytes: 40, UnreadBytes: 50, Dropped: 60, Lost: 70, Unsent: 80},
	}}
	require.Equal(t, Named{Connected: 11, Received: 22, Sent: 33, QueuedBytes: 44, UnreadBytes: 55, Dropped: 231}, o.Sum())
}
