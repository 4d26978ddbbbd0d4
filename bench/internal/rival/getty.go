package rival

import (
	"errors"
	"fmt"
	"net"
	"time"

	getty "github.com/apache/dubbo-getty"

	"github.com/netasync/netasync/bench/internal/wire"
)

// gettyMaxMessage lifts the limit of 4 KiB that a session has by default.
const gettyMaxMessage = 1 << 24

// Getty answers each message from its callback. There is no task pool, so that callbacks run on the goroutine that
// reads, which is faster; they may block there, for each connection has one.
func Getty(o Options) (net.Addr, error) {
	QuietGetty()
	s := getty.NewTCPServer(getty.WithLocalAddress(o.Addr))
	s.RunEventLoop(GettySession(func(s getty.Session, payload []byte) { _, _, _ = s.WritePkg(payload, 0) }, nil))
	stream, ok := s.(getty.StreamServer)
	if !ok || stream.Listener() == nil {
		return nil, errors.New("getty: the server has no listener")
	}
	return stream.Listener().Addr(), nil
}

// GettySession sets up a session that hands its messages to got. opened, where it is not nil, is told of the session.
func GettySession(got func(getty.Session, []byte), opened chan<- getty.Session) getty.NewSessionCallback {
	return gettyListener{got: got, opened: opened}.session
}

// gettyCodec frames the way everybody else here does. Callbacks run on the reading goroutine (no task pool is
// set), so a message may point into the read buffer.
type gettyCodec struct{}

func (gettyCodec) Read(_ getty.Session, buf []byte) (any, int, error) {
	if len(buf) < wire.HeaderLen {
		return nil, 0, nil
	}
	frame := wire.FrameLen(wire.Length(buf))
	if len(buf) < frame {
		return nil, frame, nil
	}
	return buf[wire.HeaderLen:frame], frame, nil
}

func (gettyCodec) Write(_ getty.Session, message any) ([]byte, error) {
	payload, ok := message.([]byte)
	if !ok {
		return nil, fmt.Errorf("getty: cannot send a %T", message)
	}
	frame := make([]byte, wire.FrameLen(len(payload)))
	wire.PutHeader(frame, len(payload))
	copy(frame[wire.HeaderLen:], payload)
	return frame, nil
}

// gettyListener hands messages to got; opened, where set, is told of the session.
type gettyListener struct {
	got    func(getty.Session, []byte)
	opened chan<- getty.Session
}

func (l gettyListener) OnOpen(s getty.Session) error {
	if l.opened != nil {
		l.opened <- s
	}
	return nil
}

func (l gettyListener) OnMessage(s getty.Session, message any) {
	if payload, ok := message.([]byte); ok {
		l.got(s, payload)
	}
}

func (gettyListener) OnClose(getty.Session)        {}
func (gettyListener) OnError(getty.Session, error) {}
func (gettyListener) OnCron(getty.Session)         {}

// session sets up either side the same way.
func (l gettyListener) session(s getty.Session) error {
	if c, ok := s.Conn().(*net.TCPConn); ok {
		if err := c.SetNoDelay(true); err != nil {
			return err
		}
	}
	s.SetMaxMsgLen(gettyMaxMessage)
	s.SetPkgHandler(gettyCodec{})
	s.SetEventListener(l)
	s.SetWaitTime(time.Second)
	return nil
}

// QuietGetty drops getty's log lines.
func QuietGetty() { getty.SetLogger(gettyQuiet{}) }

type gettyQuiet struct{}

func (gettyQuiet) Info(...any)           {}
func (gettyQuiet) Warn(...any)           {}
func (gettyQuiet) Error(...any)          {}
func (gettyQuiet) Debug(...any)          {}
func (gettyQuiet) Infof(string, ...any)  {}
func (gettyQuiet) Warnf(string, ...any)  {}
func (gettyQuiet) Errorf(string, ...any) {}
func (gettyQuiet) Debugf(string, ...any) {}
