package session

import (
	"context"
	"io"
	"iter"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// What a loop has in hand when it ends is what comes next, in order, whoever takes it.
func TestBrokenLoopLosesNothing(t *testing.T) {
	for name, next := range map[string]func(*testing.T, *Session) string{
		"Recv":     func(t *testing.T, s *Session) string { return string(recv(t, s).Payload) },
		"Events":   func(_ *testing.T, s *Session) string { return some(s, 1)[0][len("message"):] },
		"ReadChan": func(_ *testing.T, s *Session) string { return string((<-s.ReadChan()).Payload) },
		"Messages": func(t *testing.T, s *Session) string {
			for payload, err := range s.Messages(t.Context()) {
				require.NoError(t, err)
				return string(payload)
			}
			return "nothing"
		},
		"a panic": func(_ *testing.T, s *Session) (got string) {
			defer func() { got = recover().(string) }()
			for ev := range s.Events(context.Background()) {
				panic(string(ev.Payload))
			}
			return "nothing"
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, buffer := range []Buffer{Fixed(100), Sliding(100)} {
				s, _ := newFake(t, false, func(c *Config) { c.ReadBuffer = buffer })
				conn := s.attach(newFakeLink(unbounded), 0)
				texts := testkit.Texts(40)
				feed(t, conn, texts[:20]...)
				require.Equal(t, []string{"connected", "message" + texts[0]}, some(s, 2))
				feed(t, conn, texts[20:]...)
				for _, want := range texts[1:] {
					require.Equal(t, want, next(t, s))
				}
				s.CloseNow(nil)
			}
		})
	}
}

// One that waits in Recv, or in a loop, gets what another loop gives back, and so does the next.
func TestWhatIsGivenBackWakesThoseThatWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, nil)
		conn := s.attach(newFakeLink(unbounded), 0)
		recv(t, s)
		feed(t, conn, "a", "b", "c")
		next, stop := iter.Pull(s.Events(t.Context()))
		_, _ = next()
		require.False(t, s.in.allTaken())
		got := make(chan string, 2)
		go func() { ev, _ := s.Recv(context.Background()); got <- string(ev.Payload) }()
		synctest.Wait()
		go func() { got <- some(s, 1)[0] }()
		synctest.Wait()
		require.Empty(t, got)
		before := time.Now()
		stop()
		require.ElementsMatch(t, []string{"b", "messagec"}, []string{<-got, <-got})
		require.Zero(t, time.Since(before))
		s.CloseNow(nil)
	})
}

// A loop that ends with Closed leaves nobody waiting for what will not come.
func TestLoopThatHasClosedTellsTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, nil)
		s.attach(newFakeLink(unbounded), 0)
		recv(t, s)
		got := make(chan []string, 1)
		go func() { got <- some(s, 1) }() // it breaks then
		synctest.Wait()
		ended := make(chan error, 3)
		for range cap(ended) {
			go func() { _, err := s.Recv(context.Background()); ended <- err }()
		}
		synctest.Wait()
		s.CloseNow(nil)
		require.Equal(t, []string{"closed"}, <-got)
		for range cap(ended) {
			require.ErrorIs(t, <-ended, io.EOF)
		}
	})
}

// Batches that several loops give back come in the order in which they came, whichever ends first.
func TestBatchesGoBackInOrder(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		for _, channel := range []bool{false, true} {
			s, _ := newFake(t, false, nil)
			conn := s.attach(newFakeLink(unbounded), 0)
			require.Equal(t, []string{"connected"}, some(s, 1))
			var stops []func()
			for loop := range 3 {
				feed(t, conn, strconv.Itoa(loop)+"a", strconv.Itoa(loop)+"b", strconv.Itoa(loop)+"c")
				next, stop := iter.Pull(s.Events(context.Background()))
				ev, _ := next()
				require.Equal(t, strconv.Itoa(loop)+"a", string(ev.Payload))
				stops = append(stops, stop)
			}
			feed(t, conn, "3a")
			if channel {
				s.ReadChan()
			}
			require.False(t, s.in.allTaken())
			for _, i := range order {
				stops[i]()
			}
			for _, want := range []string{"0b", "0c", "1b", "1c", "2b", "2c", "3a"} {
				require.Equal(t, want, string(recv(t, s).Payload), "%v %v", order, channel)
			}
			require.True(t, s.in.allTaken())
			s.CloseNow(nil)
			require.Equal(t, Closed, recv(t, s).Kind)
			_, err := s.Recv(t.Context())
			require.ErrorIs(t, err, io.EOF)
		}
	}
}

// A read channel that is made while loops have events in hand gets nothing before, then all in order,
// and ends, also when a loop has had Closed.
func TestReadChanBesideLoops(t *testing.T) {
	for _, closedInHand := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s, _ := newFake(t, false, nil)
			conn := s.attach(newFakeLink(unbounded), 0)
			texts := testkit.Texts(2 * maxSlots)
			feed(t, conn, texts...)
			first, stopFirst := iter.Pull(s.Events(t.Context()))
			_, _ = first() // Connected
			stopLast := func() {}
			if closedInHand {
				s.CloseNow(nil)
				last, stop := iter.Pull(s.Events(t.Context()))
				stopLast = stop
				ev, _ := last()
				require.Equal(t, Closed, ev.Kind)
			}
			in := s.ReadChan()
			if !closedInHand {
				s.CloseNow(nil)
			}
			synctest.Wait()
			require.Empty(t, in)
			stopLast()
			synctest.Wait()
			require.Empty(t, in)
			ev, _ := first() // the loop goes on with the channel
			require.Equal(t, texts[0], string(ev.Payload))
			var got []string
			for ev := range in {
				if ev.Kind == Message {
					got = append(got, string(ev.Payload))
				}
			}
			stopFirst()
			require.Equal(t, texts[1:], got)
		})
	}
}

// Loops, Recv and a read channel at once: every event reaches exactly one, and each sees its own in
// order.
func TestEveryEventReachesOneConsumer(t *testing.T) {
	for _, buffer := range []Buffer{Fixed(16), {Cap: 1 << 20, Policy: PolicySliding}} {
		for range 10 {
			s, _ := newFake(t, false, func(c *Config) { c.ReadBuffer, c.HeartbeatTimeout = buffer, time.Hour })
			conn := s.attach(newFakeLink(unbounded), 0)
			const messages = 3000
			var mu sync.Mutex
			seen := map[int]int{}
			note := func(last *int, payload []byte) {
				n, err := strconv.Atoi(string(payload))
				require.NoError(t, err)
				mu.Lock()
				defer mu.Unlock()
				seen[n]++
				*last = n
			}
			var consumers sync.WaitGroup
			for range 3 {
				consumers.Go(func() {
					last := -1
					for more := true; more; {
						more = false
						n := 0
						for ev := range s.Events(context.Background()) {
							more = true
							if ev.Kind == Message {
								note(&last, ev.Payload)
							}
							if n++; n%7 == 0 {
								break
							}
						}
					}
				})
			}
			consumers.Go(func() {
				last := -1
				for {
					ev, err := s.Recv(context.Background())
					if err != nil {
						return
					}
					if ev.Kind == Message {
						note(&last, ev.Payload)
					}
				}
			})
			consumers.Go(func() {
				time.Sleep(time.Millisecond)
				last := -1
				for ev := range s.ReadChan() {
					if ev.Kind == Message {
						note(&last, ev.Payload)
					}
				}
			})
			for n := 0; n < messages; n += 10 {
				var texts []string
				for i := range 10 {
					texts = append(texts, strconv.Itoa(n+i))
				}
				rest := testkit.Frames(texts...)
				for len(rest) > 0 {
					var err error
					if rest, _, err = conn.Feed(rest, false); len(rest) > 0 {
						conn.Wait()
					}
					require.NoError(t, err)
				}
			}
			s.CloseNow(nil)
			consumers.Wait()
			for more := true; more; { // what a loop gave back when others had been told of the end
				more = false
				last := -1
				for ev := range s.Events(context.Background()) {
					if more = true; ev.Kind == Message {
						note(&last, ev.Payload)
					}
				}
			}
			require.Len(t, seen, messages)
			for n, times := range seen {
				require.Equal(t, 1, times, n)
			}
		}
	}
}
