package session

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Whatever happens to sessions with Resume, their messages are accounted for at every moment:
// connections are cut and taken over, peers start anew, windows end, policies drop and refuse, users
// close and do not read.
func TestAccountsOfResumedSessions(t *testing.T) {
	for n := range 60 {
		t.Run(fmt.Sprint(n), func(t *testing.T) { synctest.Test(t, accountsInAStorm) })
	}
}

func stormyConfig() *Config {
	policy := func() Policy { return Policy(rand.IntN(3)) }
	c := &Config{
		Start: time.Now(), HeartbeatPeriod: time.Second, HeartbeatTimeout: 4 * time.Second,
		Linger: time.Duration(rand.IntN(3000)) * time.Millisecond, MaxPayload: 1 << 20, Host: fakeHost{},
		Resume: true, ResendLost: rand.IntN(2) == 0, WhileDown: WhileDown(rand.IntN(2)), Greets: true,
		AwaitPeer:   rand.IntN(3) == 0,
		Unacked:     Buffer{Cap: 1 + rand.IntN(50), Bytes: 1 + rand.IntN(100_000)},
		ReadBuffer:  Buffer{Cap: 1 + rand.IntN(20), Bytes: 1 << 20, Policy: policy()},
		WriteBuffer: Buffer{Cap: 1 + rand.IntN(20), Bytes: 1 + rand.IntN(100_000), Policy: policy()},
	}
	if rand.IntN(2) == 0 {
		c.Hello = func(uint64) [][]byte {
			time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond)
			return [][]byte{[]byte("I am"), make([]byte, rand.IntN(2*copyLimit)+1)}[:rand.IntN(3)]
		}
	}
	return c
}

func accountsInAStorm(t *testing.T) {
	w := newResumeWorld(t, stormyConfig(), stormyConfig())
	w.accepted = make(chan *Session, 10_000)
	w.plan = func() (int, int, bool) { return rand.IntN(50_000), rand.IntN(50_000), rand.IntN(5) > 0 }
	all := []*Session{w.near}
	w.work.Go(w.dial)
	for step := range 1000 {
		for len(w.accepted) > 0 {
			s := <-w.accepted
			all = append(all, s)
			w.work.Go(func() { acts(w.ctx, s) })
		}
		if step == 0 {
			w.work.Go(func() { acts(w.ctx, w.near) })
		}
		switch rand.IntN(100) {
		case 0, 1:
			w.cut()
		case 2:
			w.mu.Lock()
			w.far = nil // the peer knows nothing any more
			w.mu.Unlock()
			w.cut()
		case 3:
			w.mu.Lock()
			if w.far != nil {
				Drive(w.far).Expire(nil)
			}
			w.mu.Unlock()
		case 4:
			if s := all[rand.IntN(len(all))]; s != w.near && rand.IntN(2) == 0 {
				_ = s.Close()
			}
		}
		for _, s := range all {
			accountsAddUp(t, s)
		}
		time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
	}
	for _, s := range all {
		if rand.IntN(2) == 0 {
			_ = s.Close()
			accountsAddUp(t, s)
			time.Sleep(5 * time.Second)
		}
		s.CloseNow(nil)
		accountsAddUp(t, s)
	}
	w.stop()
	for len(w.accepted) > 0 {
		(<-w.accepted).CloseNow(nil)
	}
	for _, s := range all {
		<-s.Done()
	}
	w.work.Wait()
	time.Sleep(time.Minute) // users find the end
	for _, s := range all {
		st := accountsAddUp(t, s)
		require.Zero(t, st.Unacked)
		require.Equal(t, StateClosed, s.State())
	}
}

// acts is a user of a session: sends, flushes and reads at random, until the session has closed.
func acts(ctx context.Context, s *Session) {
	go func() {
		for s.State() != StateClosed && ctx.Err() == nil {
			short, cancel := context.WithTimeout(ctx, time.Duration(rand.IntN(20))*time.Millisecond)
			m := make([]byte, 1+rand.IntN([]int{10, 1000, 3 * copyLimit}[rand.IntN(3)]))
			switch rand.IntN(10) {
			case 0:
				_ = s.Flush(short)
			case 1:
				s.WriteChan() <- m
			case 2:
				time.Sleep(time.Duration(rand.IntN(30)) * time.Millisecond)
			case 3, 4:
				_ = s.TrySend(m)
			default:
				_ = s.Send(short, m)
			}
			cancel()
			time.Sleep(time.Duration(rand.IntN(500)) * time.Microsecond)
		}
	}()
	for {
		if rand.IntN(20) == 0 {
			time.Sleep(time.Duration(rand.IntN(50)) * time.Millisecond)
		}
		if _, err := s.Recv(ctx); err != nil {
			return
		}
	}
}
