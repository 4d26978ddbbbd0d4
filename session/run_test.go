package session

import (
	"bytes"
	"context"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/internal/testkit"
)

// What a peer sends: so many rows of so many messages.
const rows, inRow = 20, 40

// numbered frames messages of a sequence, of many sizes, with a heartbeat here and there.
func numbered(f codec.Format, first, n int, r *rand.Rand) (w []byte) {
	sizes := []int{testkit.MinNumbered, 20, 127, 1 << 10, 1<<10 + 1, copyLimit, copyLimit + 1}
	for i := range n {
		w = f.AppendFrame(w, testkit.Numbered(first+i, sizes[r.IntN(len(sizes))]))
		if r.IntN(10) == 0 {
			w = f.AppendFrame(w, nil)
		}
	}
	return w
}

// feedNumbered is a peer and a link: reads of arbitrary pieces.
func feedNumbered(t *testing.T, f codec.Format, c *Conn) {
	r := rand.New(rand.NewPCG(7, 8))
	for n := range rows {
		for p := numbered(f, n*inRow, inRow, r); len(p) > 0; {
			cut := min(len(p), 1+r.IntN(2*len(p)))
			rest, _, err := c.Feed(p[:cut], false)
			for len(rest) > 0 && err == nil {
				c.Wait()
				rest, _, err = c.Feed(rest, false)
			}
			if err != nil {
				t.Error(err)
				return
			}
			p = p[cut:]
		}
	}
}

// requireNumbered looks at what came back.
func requireNumbered(t *testing.T, f codec.Format, wire []byte) {
	t.Helper()
	d := codec.NewDecoder(f, codec.DefaultMaxPayload)
	var back testkit.Sequence
	for len(wire) > 0 {
		frame, took, complete, err := d.Next(wire)
		require.NoError(t, err)
		require.True(t, complete)
		require.NoError(t, back.Take(frame.Payload), "messages come back as they were sent")
		wire = wire[took:]
	}
	require.Equal(t, rows*inRow, back.Next())
}

// Messages that came together are handed out one by one, whatever the format, the way to consume,
// and the pieces in which they are read; and what a callback is lent stays as it is until it
// returns, also for what it sends back.
func TestRunsOfMessages(t *testing.T) {
	for name, f := range formats {
		for _, way := range []string{"recv", "chan", "mixed", "callbacks"} {
			t.Run(name+" "+way, func(t *testing.T) { echoRuns(t, f, way) })
		}
	}
}

func echoRuns(t *testing.T, f codec.Format, way string) {
	ctx, echoed := context.Background(), 0
	var sent testkit.Sequence
	var all sync.WaitGroup
	all.Add(rows * inRow)
	echo := func(s *Session, ev Event) {
		if ev.Kind != Message {
			return
		}
		if err := sent.Take(ev.Payload); err != nil {
			t.Error(err)
		}
		if err := s.Send(ctx, ev.Payload); err != nil {
			t.Error(err)
		}
		echoed++
		all.Done()
	}
	s, _ := newFake(t, false, func(c *Config) {
		c.Format = f
		if way == "callbacks" {
			c.OnEvent = echo
		}
	})
	link := newFakeLink(unbounded)
	go feedNumbered(t, f, s.attach(link, 0))
	for way != "callbacks" && echoed < rows*inRow {
		if way == "chan" || way == "mixed" && echoed > rows*inRow/2 {
			echo(s, <-s.ReadChan())
		} else {
			echo(s, recv(t, s))
		}
	}
	all.Wait()
	require.NoError(t, s.Close())
	<-s.Done()
	requireNumbered(t, f, link.written())
}

// Of a run for which the channel has room in part, the rest counts.
func TestRunBeyondTheChannelCounts(t *testing.T) {
	s, _ := newFake(t, false, func(c *Config) { c.ReadBuffer = Fixed(20) })
	s.attach(newSink(), 0)
	in, events := s.in, s.ReadChan()
	<-events // Connected
	in.mu.Lock()
	many := run{bytes.Repeat(testkit.Frames("12345"), 30), 30, &in.kept}
	in.push(&item{epoch: 1, run: many}, 30*5)
	require.Len(t, events, 20)
	require.Equal(t, 10, in.messages)
	require.Equal(t, 10*5, in.bytes)
	in.announce()
	in.mu.Unlock()
	for range 30 {
		require.Equal(t, "12345", string((<-events).Payload))
	}
	s.CloseNow(errCut)
	for range events { // until it is closed
	}
}

// Small runs of slow sessions must not sit in the large blocks that busy ones have left behind.
func TestBlocksFitWhatTheyHold(t *testing.T) {
	for _, size := range []int{1, 1000, 1 << 10, 1<<10 + 1, 5000, maxLent - 1, maxLent} {
		for range 3 {
			large := lend(make([]byte, maxLent))
			b := lend(make([]byte, size))
			require.Len(t, b.b, size)
			require.LessOrEqual(t, cap(b.b), max(2*size, 1<<minBlockBits))
			large.free()
			b.free()
		}
	}
}
