package engine

import (
	"errors"
	"fmt"
	"math"
	"net"
	"syscall"
	"time"
)

// socket is how sockets are made: those of sessions without a Dial, and those of Listen.
type socket struct {
	read, write int // bytes of their buffers; 0: the system's
	keepAlive   net.KeepAliveConfig
}

// newSocket validates the options of sockets.
func newSocket(read, write int, keepAlive net.KeepAliveConfig) (socket, error) {
	for _, n := range []struct {
		field string
		value int
	}{{"SocketReadBuffer", read}, {"SocketWriteBuffer", write}} {
		if n.value < 0 || n.value > math.MaxInt32 {
			return socket{}, fmt.Errorf("netasync: %s is %d, want 0 to %d", n.field, n.value, math.MaxInt32)
		}
	}
	if !keepAlive.Enable && keepAlive != (net.KeepAliveConfig{}) && keepAlive != keepAliveOff {
		return socket{}, errors.New("netasync: KeepAlive has values, but Enable is not set")
	}
	return socket{read, write, keepAlive}, nil
}

// keepAliveOff is what turns keep-alive off; the zero value is Go's default.
var keepAliveOff = net.KeepAliveConfig{Idle: -1}

// dialer returns what makes connections with such sockets.
func (o socket) dialer() *net.Dialer {
	return &net.Dialer{Control: o.control(), KeepAlive: o.unlessOff(), KeepAliveConfig: o.keepAlive}
}

// listenConfig returns what makes listeners with such sockets, whose connections inherit them.
func (o socket) listenConfig() *net.ListenConfig {
	return &net.ListenConfig{Control: o.control(), KeepAlive: o.unlessOff(), KeepAliveConfig: o.keepAlive}
}

// unlessOff is the older option of package net: negative is off, and 0 the default.
func (o socket) unlessOff() time.Duration {
	if o.keepAlive == keepAliveOff {
		return -1
	}
	return 0
}

// control returns what sets buffers before a socket is connected or bound: how far TCP can open its
// window is agreed on in its handshake, and a buffer that is made larger later is not used.
func (o socket) control() func(network, address string, c syscall.RawConn) error {
	if o.read == 0 && o.write == 0 {
		return nil
	}
	return func(_, _ string, c syscall.RawConn) error {
		var read, write error
		err := c.Control(func(fd uintptr) {
			if o.read > 0 {
				read = setOption(fd, syscall.SO_RCVBUF, o.read)
			}
			if o.write > 0 {
				write = setOption(fd, syscall.SO_SNDBUF, o.write)
			}
		})
		return errors.Join(err, read, write)
	}
}
