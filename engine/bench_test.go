package engine

import (
	"context"
	"io"
	"testing"

	"github.com/netasync/netasync/internal/testkit"
	"github.com/netasync/netasync/session"
)

// One read and one write of 100 messages of 16 bytes through a real socket and
// event loop, by an inline callback and by Recv.
func BenchmarkEchoOverLoopback(b *testing.B) {
	for _, inline := range []bool{true, false} {
		name := "recv"
		o := ListenOptions{}
		if inline {
			name = "inline"
			o.Inline = true
			o.OnEvent = func(s *session.Session, ev session.Event) {
				if ev.Kind == session.Message {
					_ = s.Send(context.Background(), ev.Payload)
				}
			}
		}
		b.Run(name, func(b *testing.B) {
			e, err := NewEngine(EngineOptions{Loops: 1})
			if err != nil {
				b.Fatal(err)
			}
			defer func() { _ = e.Shutdown(context.Background()) }()
			ln, err := e.Listen("127.0.0.1:0", o)
			if err != nil {
				b.Fatal(err)
			}
			conn := dialForLong(b, ln.Addr())
			if !inline {
				go echo(<-ln.AcceptChan())
			}
			var p []byte
			for i := range 100 {
				p = append(p, testkit.Frames(testkit.Numbered(i, 16))...)
			}
			back := make([]byte, len(p))
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := conn.Write(p); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(conn, back); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Messages of 64 KiB, four at a time, through a real socket and event loop to an inline echo.
func BenchmarkLargeEchoOverLoopback(b *testing.B) {
	e, err := NewEngine(EngineOptions{Loops: 1})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = e.Shutdown(context.Background()) }()
	ln, err := e.Listen("127.0.0.1:0", ListenOptions{Inline: true, NoGreeting: true, OnEvent: func(s *session.Session, ev session.Event) {
		if ev.Kind == session.Message {
			_ = s.Send(context.Background(), ev.Payload)
		}
	}})
	if err != nil {
		b.Fatal(err)
	}
	conn := dialForLong(b, ln.Addr())
	m := make([]byte, 64<<10)
	p := testkit.Frames(m, m, m, m)
	back := make([]byte, len(p))
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		go func() { _, _ = conn.Write(p) }()
		if _, err := io.ReadFull(conn, back); err != nil {
			b.Fatal(err)
		}
	}
}
