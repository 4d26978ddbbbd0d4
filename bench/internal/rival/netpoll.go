package rival

import (
	"context"
	"net"

	"github.com/cloudwego/netpoll"

	"github.com/netasync/netasync/bench/internal/wire"
)

// Netpoll answers every whole frame that has arrived and flushes once. The default of one poller for up to twenty
// cores is what its authors recommend; -loops overrides it.
func Netpoll(o Options) (net.Addr, error) {
	if o.Loops > 0 {
		if err := netpoll.Configure(netpoll.Config{PollerNum: o.Loops}); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return nil, err
	}
	loop, err := netpoll.NewEventLoop(answer)
	if err != nil {
		return nil, err
	}
	go func() { _ = loop.Serve(l) }()
	return l.Addr(), nil
}

func answer(_ context.Context, c netpoll.Connection) error {
	r, w := c.Reader(), c.Writer()
	for first := true; first || r.Len() >= wire.HeaderLen; first = false {
		header, err := r.Peek(wire.HeaderLen)
		if err != nil {
			return err
		}
		frame := wire.FrameLen(wire.Length(header))
		if r.Len() < frame && w.MallocLen() > 0 {
			break // flush what is answered before waiting for the rest
		}
		if err := copyFrame(r, w, frame); err != nil {
			return err
		}
	}
	if err := r.Release(); err != nil {
		return err
	}
	return w.Flush()
}

// copyFrame waits for the whole frame and copies it: what Next returns is valid until Release, which comes before
// the write is over.
func copyFrame(r netpoll.Reader, w netpoll.Writer, frame int) error {
	whole, err := r.Next(frame)
	if err != nil {
		return err
	}
	buf, err := w.Malloc(frame)
	if err != nil {
		return err
	}
	copy(buf, whole)
	return nil
}
