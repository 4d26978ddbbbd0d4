package session

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
)

// pipeline is a read of 100 messages of 16 bytes: what one read of a busy connection brings.
func pipeline() (p []byte, messages int) {
	for range 100 {
		p = codec.Format{}.AppendFrame(p, make([]byte, 16))
	}
	return p, 100
}

// What an echoed message of 16 bytes may cost in allocations, by the way it is consumed. How long
// it takes is the business of benchmarks.
func TestAllocationsPerEchoedMessage(t *testing.T) {
	p, messages := pipeline()
	ctx := context.Background()

	t.Run("inline", func(t *testing.T) {
		s, _ := newFake(t, false, func(c *Config) {
			c.Inline = true
			c.OnEvent = func(s *Session, ev Event) {
				if ev.Kind == Message {
					_ = s.Send(ctx, ev.Payload)
				}
			}
		})
		conn := s.attach(newSink(), 0)
		conn.Start(true)
		perRead := testing.AllocsPerRun(100, func() { _, _, _ = conn.Feed(p, true) })
		require.LessOrEqual(t, perRead, float64(poolLoss))
		s.CloseNow(errCut)
	})
	t.Run("inline, 1 KiB", func(t *testing.T) { // the answers to one read take more than 64 KiB
		s, _ := newFake(t, false, func(c *Config) {
			c.Inline = true
			c.OnEvent = func(s *Session, ev Event) {
				if ev.Kind == Message {
					_ = s.Send(ctx, ev.Payload)
				}
			}
		})
		conn := s.attach(newSink(), 0)
		conn.Start(true)
		var read []byte
		for range messages {
			read = codec.Format{}.AppendFrame(read, make([]byte, 1<<10))
		}
		perRead := testing.AllocsPerRun(100, func() { _, _, _ = conn.Feed(read, true) })
		require.LessOrEqual(t, perRead, float64(poolLoss))
		s.CloseNow(errCut)
	})
	t.Run("recv", func(t *testing.T) {
		s, _ := newFake(t, false, nil)
		conn := s.attach(newSink(), 0)
		recv(t, s)
		perRead := testing.AllocsPerRun(100, func() {
			_, _, _ = conn.Feed(p, true)
			for range messages {
				ev, _ := s.Recv(ctx)
				_ = s.Send(ctx, ev.Payload)
			}
		})
		require.LessOrEqual(t, perRead/float64(messages), 0.1)
		s.CloseNow(errCut)
	})
	t.Run("iter", func(t *testing.T) {
		s, _ := newFake(t, false, nil)
		conn := s.attach(newSink(), 0)
		recv(t, s)
		perRead := testing.AllocsPerRun(100, func() {
			_, _, _ = conn.Feed(p, true)
			got := 0
			for payload := range s.Messages(ctx) {
				_ = s.Send(ctx, payload)
				if got++; got == messages {
					break
				}
			}
		})
		require.LessOrEqual(t, perRead/float64(messages), 0.1)
		s.CloseNow(errCut)
	})
	t.Run("chan", func(t *testing.T) {
		s, _ := newFake(t, false, nil)
		conn := s.attach(newSink(), 0)
		in, out := s.ReadChan(), s.WriteChan()
		<-in
		perRead := testing.AllocsPerRun(100, func() {
			_, _, _ = conn.Feed(p, true)
			for range messages {
				out <- (<-in).Payload
			}
		})
		require.LessOrEqual(t, perRead/float64(messages), 0.1)
		close(out)
		for range in {
		}
	})
}

// One read in, one write out, by each way to consume.
func BenchmarkEcho(b *testing.B) {
	p, messages := pipeline()
	ctx := context.Background()
	run := func(b *testing.B, change func(*Config), round func(*Session, *Conn)) {
		s, _ := newFake(b, false, change)
		conn := s.attach(newSink(), 0)
		b.SetBytes(int64(len(p)))
		b.ReportAllocs()
		for b.Loop() {
			round(s, conn)
		}
		s.CloseNow(errCut)
	}
	b.Run("inline", func(b *testing.B) {
		run(b, func(c *Config) {
			c.Inline = true
			c.OnEvent = func(s *Session, ev Event) {
				if ev.Kind == Message {
					_ = s.Send(ctx, ev.Payload)
				}
			}
		}, func(_ *Session, conn *Conn) {
			conn.Start(true)
			_, _, _ = conn.Feed(p, true)
		})
	})
	b.Run("recv", func(b *testing.B) {
		run(b, nil, func(s *Session, conn *Conn) {
			_, _, _ = conn.Feed(p, true)
			for got := 0; got < messages; {
				ev, _ := s.Recv(ctx)
				if ev.Kind == Message {
					got++
					_ = s.Send(ctx, ev.Payload)
				}
			}
		})
	})
	b.Run("iter", func(b *testing.B) {
		run(b, nil, func(s *Session, conn *Conn) {
			_, _, _ = conn.Feed(p, true)
			got := 0
			for payload := range s.Messages(ctx) {
				_ = s.Send(ctx, payload)
				if got++; got == messages {
					break
				}
			}
		})
	})
	b.Run("chan", func(b *testing.B) {
		run(b, nil, func(s *Session, conn *Conn) {
			in, out := s.ReadChan(), s.WriteChan()
			_, _, _ = conn.Feed(p, true)
			for got := 0; got < messages; {
				if ev := <-in; ev.Kind == Message {
					got++
					out <- ev.Payload
				}
			}
		})
	})
}
