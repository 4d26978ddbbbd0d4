package session

import (
	"context"
	"io"
)

// Recv returns the next event, waiting for it if there is none. It returns
// io.EOF after Closed, and ctx's error when that ends first. It may be called
// from several goroutines, and together with ReadChan: every event reaches one of them.
func (s *Session) Recv(ctx context.Context) (ev Event, err error) {
	in := s.in
	in.takeMu.Lock()
	if in.taken.cutRun(&ev, *in.format) {
		in.takeMu.Unlock()
		return ev, nil
	}
	if !in.taken.empty() {
		in.handOut(&ev)
		in.takeMu.Unlock()
		return ev, nil
	}
	in.takeMu.Unlock()
	if s.cfg.OnEvent != nil {
		return ev, ErrCallbacks
	}
	err = s.await(ctx, &ev)
	return ev, err
}

// await is Recv when no event is in hand.
func (s *Session) await(ctx context.Context, ev *Event) error {
	in := s.in
	for woken := false; ; {
		in.takeMu.Lock()
		if in.owed && in.taken.empty() {
			in.owed = false
			in.takeMu.Unlock()
			s.flushBatch() // the answers to the batch before
			continue
		}
		if in.fetch() {
			in.handOut(ev)
			if woken && !in.taken.empty() { // the wake-up goes on to the next who waits
				in.mu.Lock()
				in.ready.wake()
				in.mu.Unlock()
			}
			in.takeMu.Unlock()
			return nil
		}
		in.mu.Lock() // under takeMu: what another fetches from here on, he tells us
		in.takeMu.Unlock()
		if out := in.out; out != nil {
			in.ready.wake() // others who wait must change over, too
			in.mu.Unlock()
			return recvFrom(ctx, out, ev)
		}
		if !in.queue.empty() {
			in.mu.Unlock()
			continue
		}
		if in.ended {
			in.ready.wake()
			in.mu.Unlock()
			return io.EOF
		}
		c := in.ready.arm()
		in.mu.Unlock()
		err := waitFor(ctx, c)
		in.mu.Lock()
		in.ready.disarm()
		in.mu.Unlock()
		if err != nil {
			return err
		}
		woken = true
	}
}

// waitFor waits for a wake-up or the end of ctx.
func waitFor(ctx context.Context, c <-chan struct{}) error {
	done := ctx.Done()
	if done == nil {
		<-c
		return nil
	}
	select {
	case <-c:
		return nil
	case <-done:
		return ctx.Err()
	}
}

func recvFrom(ctx context.Context, out <-chan Event, ev *Event) error {
	select {
	case next, ok := <-out:
		if !ok {
			return io.EOF
		}
		*ev = next
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fetch gets Recv a batch if it has none, and reports whether it has one. The
// caller holds takeMu.
func (in *inbox) fetch() bool {
	if !in.taken.empty() {
		return true
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.queue.empty() || in.out != nil {
		return false
	}
	in.taken = in.take()
	in.ready.wake()
	return true
}

// handOut takes the next event of Recv's batch. The caller holds takeMu.
func (in *inbox) handOut(ev *Event) {
	in.taken.pop(ev, *in.format)
	if ev.Kind == Closed { // for the others who wait there is only the end
		in.mu.Lock()
		in.ready.wake()
		in.mu.Unlock()
	}
	if in.hand(in.taken, in.owed) {
		in.owed = true
		return
	}
	in.taken.free()
	in.taken = nil
}

// hand notes, and reports, whether the consumer of a batch has more in hand; had says
// that he was given others before.
func (in *inbox) hand(batch *queue, had bool) (more bool) {
	more = !batch.empty()
	if more != in.more.Load() {
		in.more.Store(more)
	}
	// A lossy policy always gives one at a time, which says nothing.
	if single := !more && !had && in.limit.Policy == PolicyFixed; single != in.single.Load() {
		in.single.Store(single)
	}
	return more
}
