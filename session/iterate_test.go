package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// feed has a connection bring messages.
func feed(t testing.TB, c *Conn, texts ...string) {
	t.Helper()
	rest, _, err := c.Feed(testkit.Frames(texts...), false)
	require.NoError(t, err)
	require.Empty(t, rest)
}

// some returns what a loop over Events gets until it has had so many.
func some(s *Session, n int) (got []string) {
	for ev := range s.Events(context.Background()) {
		got = append(got, ev.Kind.String()+string(ev.Payload))
		if len(got) == n {
			break
		}
	}
	return got
}

// A loop gets all events, up to Closed.
func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, true, nil)
		done := make(chan []string, 1)
		go func() { done <- some(s, -1) }()
		s.dialing()
		conn := s.attach(newFakeLink(unbounded))
		feed(t, conn, "a", "b")
		synctest.Wait()
		feed(t, conn, "c")
		conn.End(errCut)
		s.CloseNow(nil)
		require.Equal(t, []string{"connected", "messagea", "messageb", "messagec", "disconnected", "closed"}, <-done)
		require.Empty(t, some(s, -1), "again")
		_, err := s.Recv(t.Context())
		require.ErrorIs(t, err, io.EOF)
	})
}

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
				conn := s.attach(newFakeLink(unbounded))
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
		conn := s.attach(newFakeLink(unbounded))
		recv(t, s)
		feed(t, conn, "a", "b", "c")
		next, stop := iter.Pull(s.Events(t.Context()))
		_, _ = next()
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

// Batches that several loops give back come in the order in which they came, whichever ends first.
func TestBatchesGoBackInOrder(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		for _, channel := range []bool{false, true} {
			s, _ := newFake(t, false, nil)
			conn := s.attach(newFakeLink(unbounded))
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
			conn := s.attach(newFakeLink(unbounded))
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
			conn := s.attach(newFakeLink(unbounded))
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

// Messages skips what is no message, across connections, and tells why it ends.
func TestMessages(t *testing.T) {
	for _, cause := range []error{nil, errCut} {
		synctest.Test(t, func(t *testing.T) {
			s, _ := newFake(t, true, nil)
			for _, text := range []string{"a", "b"} {
				s.dialing()
				conn := s.attach(newFakeLink(unbounded))
				feed(t, conn, text)
				conn.End(errCut)
			}
			s.CloseNow(cause)
			var got []string
			for payload, err := range s.Messages(t.Context()) {
				got = append(got, fmt.Sprint(string(payload), err))
			}
			want := []string{"a<nil>", "b<nil>"}
			if cause != nil {
				want = append(want, cause.Error())
			}
			require.Equal(t, want, got)
		})
	}
}

// A context ends a loop, also between the events of a batch, and nothing is lost.
func TestContextEndsLoops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, nil)
		conn := s.attach(newFakeLink(unbounded))
		feed(t, conn, "a", "b", "c")
		ctx, cancel := context.WithCancel(t.Context())
		var got []string
		var end error
		for payload, err := range s.Messages(ctx) {
			if err != nil {
				end = err
				continue
			}
			got = append(got, string(payload))
			cancel()
		}
		require.Equal(t, []string{"a"}, got)
		require.ErrorIs(t, end, context.Canceled)
		require.Equal(t, []string{"messageb", "messagec"}, some(s, 2))

		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.Empty(t, slices.Collect(s.Events(ctx)), "while it waits")
		s.CloseNow(nil)
	})
}

// With callbacks there is nothing to loop over.
func TestLoopsBesideCallbacks(t *testing.T) {
	s, _ := newFake(t, false, func(c *Config) { c.OnEvent = func(*Session, Event) {} })
	require.Empty(t, slices.Collect(s.Events(t.Context())))
	for _, err := range s.Messages(t.Context()) {
		require.ErrorIs(t, err, ErrCallbacks)
	}
	s.CloseNow(nil)
}

// Answers that are sent while more of the batch is in hand are written together, at its end or when
// the loop ends.
func TestLoopsCork(t *testing.T) {
	for _, answered := range []int{5, 3} {
		synctest.Test(t, func(t *testing.T) {
			s, _ := newFake(t, false, nil)
			link := &countingLink{fakeLink: newFakeLink(unbounded)}
			conn := s.attach(link)
			recv(t, s)
			texts := testkit.Texts(5)
			feed(t, conn, texts...)
			before := time.Now()
			n := 0
			for payload := range s.Messages(t.Context()) {
				require.NoError(t, s.Send(t.Context(), payload))
				if n++; n == answered {
					break
				}
			}
			synctest.Wait()
			require.Zero(t, time.Since(before))
			require.Equal(t, 1, link.writes)
			require.Equal(t, testkit.Frames(texts[:answered]...), link.written())
			s.CloseNow(nil)
		})
	}
}

type countingLink struct {
	*fakeLink
	writes int
}

func (l *countingLink) Write(bufs [][]byte, wait bool) (int, error) {
	l.writes++
	return l.fakeLink.Write(bufs, wait)
}

// The next batch finds what was sent for the one before written.
func TestLoopsWriteBeforeTheyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, nil)
		link := newFakeLink(unbounded)
		conn := s.attach(link)
		recv(t, s)
		feed(t, conn, "a", "b")
		go func() {
			for payload := range s.Messages(context.Background()) {
				if string(payload) == "a" {
					_ = s.Send(context.Background(), payload)
				}
			}
		}()
		synctest.Wait()
		require.Equal(t, testkit.Frames("a"), link.written())
		s.CloseNow(nil)
	})
}

// SendBatch queues all that fit under one lock, and writes once.
func TestSendBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, false, nil)
		link := &countingLink{fakeLink: newFakeLink(unbounded)}
		s.attach(link)
		time.Sleep(time.Second / 2)
		n, err := s.SendBatch(t.Context(), payloads("a", "b", "c"))
		require.NoError(t, err)
		require.Equal(t, 3, n)
		require.Equal(t, 1, link.writes)
		require.Equal(t, testkit.Frames("a", "b", "c"), link.written())
		n, err = s.SendBatch(t.Context(), nil)
		require.NoError(t, err)
		require.Zero(t, n)

		n, err = s.SendBatch(t.Context(), payloads("d", "", "e"))
		require.ErrorIs(t, err, ErrEmptyMessage)
		require.Equal(t, 1, n)
		n, err = s.SendBatch(t.Context(), [][]byte{make([]byte, s.cfg.MaxPayload+1)})
		require.ErrorIs(t, err, ErrFrameTooLarge)
		require.Zero(t, n)
		synctest.Wait()
		require.Equal(t, testkit.Frames("a", "b", "c", "d"), link.written())
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		n, err = s.SendBatch(ended, payloads("f"))
		require.ErrorIs(t, err, context.Canceled)
		require.Zero(t, n)
		s.CloseNow(nil)
		n, err = s.SendBatch(t.Context(), payloads("f"))
		require.ErrorIs(t, err, ErrClosed)
		require.Zero(t, n)
	})
}

// A batch that is larger than the buffer waits in between, and tells how far it got.
func TestSendBatchWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newFake(t, true, func(c *Config) { c.WriteBuffer = Fixed(3) })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		n, err := s.SendBatch(ctx, payloads(testkit.Texts(5)...))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 3, n)
		got := waiting(t.Context(), func(ctx context.Context) error {
			n, err := s.SendBatch(ctx, payloads(testkit.Texts(lockedMessages+5)...))
			return errors.Join(err, checkCount(lockedMessages+5, n))
		})
		require.Empty(t, got)
		s.dialing()
		link := newFakeLink(unbounded)
		s.attach(link)
		require.NoError(t, <-got)
		synctest.Wait()
		require.Equal(t, testkit.Frames(append(testkit.Texts(3), testkit.Texts(lockedMessages+5)...)...), link.written())
		s.CloseNow(nil)
	})
}

func checkCount(want, got int) error {
	if got != want {
		return fmt.Errorf("%d, want %d", got, want)
	}
	return nil
}

// A lossy buffer takes it all.
func TestSendBatchIntoLossyBuffer(t *testing.T) {
	s, _ := newFake(t, true, func(c *Config) { c.WriteBuffer = Sliding(3) })
	n, err := s.SendBatch(t.Context(), payloads(testkit.Texts(5000)...))
	require.NoError(t, err)
	require.Equal(t, 5000, n)
	st := s.Stats()
	require.Equal(t, 3, st.Queued)
	require.EqualValues(t, 4997, st.Dropped)
	s.CloseNow(nil)
}

func payloads(texts ...string) (all [][]byte) {
	for _, text := range texts {
		all = append(all, []byte(text))
	}
	return all
}
