package rival

import (
	"net"
	"sync"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"

	"github.com/netasync/netasync/bench/internal/wire"
)

// Handover is no contestant but a yardstick: the least that a library on gnet can do whose user has a goroutine
// for each connection and keeps what he is given. The event loop copies what it has read into memory of its own
// and queues that; the goroutine takes it, looks at each message, and answers it into a buffer that has a
// lock, since anybody may send; what is there at the end of a batch is written at once. There are no bounds, no
// errors, and no end.
func Handover(o Options) (net.Addr, error) { return handOver(o, true) }

// HandoverBare leaves out what is done for each message: the goroutine writes the batch back as it came.
func HandoverBare(o Options) (net.Addr, error) { return handOver(o, false) }

func handOver(o Options, each bool) (net.Addr, error) {
	return runGnet(o, func(bound chan net.Addr) gnet.EventHandler {
		return &handover{gnetEcho: gnetEcho{bound: bound}, each: each}
	})
}

type handover struct {
	gnetEcho
	each bool
}

// mailbox is what the loop and the goroutine of one connection share.
type mailbox struct {
	mu      sync.Mutex
	batches [][]byte
	wake    chan struct{} // of one slot

	out sync.Mutex
	buf []byte
}

func (h *handover) OnOpen(c gnet.Conn) ([]byte, gnet.Action) {
	m := &mailbox{wake: make(chan struct{}, 1)}
	c.SetContext(m)
	go m.serve(c.Fd(), h.each)
	return nil, gnet.None
}

func (h *handover) OnTraffic(c gnet.Conn) gnet.Action {
	m := c.Context().(*mailbox)
	buf, err := c.Peek(-1)
	if err != nil {
		return gnet.Close
	}
	whole, _ := wire.Complete(buf)
	if whole == 0 {
		return gnet.None
	}
	batch := append([]byte(nil), buf[:whole]...)
	_, _ = c.Discard(whole)
	m.mu.Lock()
	m.batches = append(m.batches, batch)
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
	return gnet.None
}

func (m *mailbox) serve(fd int, each bool) {
	var spare [][]byte
	for range m.wake {
		m.mu.Lock()
		batches := m.batches
		m.batches = spare[:0]
		m.mu.Unlock()
		for _, batch := range batches {
			if !each {
				write(fd, batch)
				continue
			}
			for len(batch) > 0 {
				end := wire.FrameLen(wire.Length(batch))
				m.send(batch[wire.HeaderLen:end])
				batch = batch[end:]
			}
			write(fd, m.buf)
			m.buf = m.buf[:0]
		}
		clear(batches)
		spare = batches
	}
}

// send is called for each message.
//
//go:noinline
func (m *mailbox) send(payload []byte) {
	m.out.Lock()
	at := len(m.buf)
	m.buf = append(m.buf, 0, 0, 0, 0)
	wire.PutHeader(m.buf[at:], len(payload))
	m.buf = append(m.buf, payload...)
	m.out.Unlock()
}

func write(fd int, p []byte) {
	for len(p) > 0 {
		n, err := unix.Write(fd, p)
		if err == unix.EAGAIN {
			fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
			_, _ = unix.Poll(fds, -1)
			continue
		}
		if err != nil {
			return
		}
		p = p[n:]
	}
}
