package rival

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/panjf2000/gnet/v2"
	"github.com/panjf2000/gnet/v2/pkg/logging"
	"golang.org/x/sys/unix"

	"github.com/netasync/netasync/bench/internal/wire"
)

// readBuffer is as large as those of this library's loops: with gnet's own 64 KiB, frames of that size would be put
// together from pieces.
const readBuffer = 512 << 10

// Gnet parses frames inside OnTraffic and echoes all that are whole with one write: nothing is copied that gnet
// does not copy, nothing changes goroutines. It is the ceiling for a library on gnet.
func Gnet(o Options) (net.Addr, error) {
	return runGnet(o, func(bound chan net.Addr) gnet.EventHandler { return &gnetEcho{bound: bound} })
}

// runGnet runs a server whose OnBoot tells its address.
func runGnet(o Options, handler func(bound chan net.Addr) gnet.EventHandler) (net.Addr, error) {
	bound := make(chan net.Addr, 1)
	h := handler(bound)
	failed := make(chan error, 1)
	go func() {
		failed <- gnet.Run(h, "tcp://"+o.Addr,
			gnet.WithMulticore(true), gnet.WithNumEventLoop(o.Loops), gnet.WithReadBufferCap(readBuffer),
			gnet.WithTCPNoDelay(gnet.TCPNoDelay), gnet.WithLogger(silent{}))
	}()
	select {
	case addr := <-bound:
		return addr, nil
	case err := <-failed:
		return nil, fmt.Errorf("gnet: %w", err)
	case <-time.After(5 * time.Second):
		return nil, context.DeadlineExceeded
	}
}

type gnetEcho struct {
	gnet.BuiltinEventEngine
	bound chan net.Addr // OnBoot sends once
}

func (h *gnetEcho) OnBoot(engine gnet.Engine) gnet.Action {
	addr, err := boundAddr(engine)
	if err != nil {
		return gnet.Shutdown
	}
	h.bound <- addr
	return gnet.None
}

// boundAddr asks the listening socket for its port: gnet itself only knows the address it was given.
func boundAddr(engine gnet.Engine) (net.Addr, error) {
	fd, err := engine.Dup()
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	name, err := unix.Getsockname(fd)
	if err != nil {
		return nil, err
	}
	in4, ok := name.(*unix.SockaddrInet4)
	if !ok {
		return nil, fmt.Errorf("gnet: not an IPv4 address: %T", name)
	}
	return &net.TCPAddr{IP: in4.Addr[:], Port: in4.Port}, nil
}

// OnTraffic keeps in the connection's context how many bytes the next frame needs, so that a large one arriving
// in many pieces is not put together in vain each time.
func (h *gnetEcho) OnTraffic(c gnet.Conn) gnet.Action {
	if need, _ := c.Context().(int); c.InboundBuffered() < need {
		return gnet.None
	}
	buf, err := c.Peek(-1)
	if err != nil {
		return gnet.Close
	}
	whole, need := wire.Complete(buf)
	if whole > 0 {
		if _, err := c.Write(buf[:whole]); err != nil {
			return gnet.Close
		}
		if _, err := c.Discard(whole); err != nil {
			return gnet.Close
		}
	}
	c.SetContext(need)
	return gnet.None
}

// silent drops gnet's log lines, which would otherwise go to the standard output.
type silent struct{}

func (silent) Debugf(string, ...any) {}
func (silent) Infof(string, ...any)  {}
func (silent) Warnf(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(string, ...any) {}

var _ logging.Logger = silent{}
