package pair

import (
	"fmt"
	"net"
	"time"

	getty "github.com/apache/dubbo-getty"

	"github.com/netasync/netasync/bench/internal/wire"
)

// gettyMaxMessage lifts the limit of 4 KiB that a session has by default.
const gettyMaxMessage = 1 << 24

var gettyPair = Library{Serve: serveGetty, Dial: dialGetty}

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

func serveGetty() (string, error) {
	getty.SetLogger(gettyQuiet{})
	s := getty.NewTCPServer(getty.WithLocalAddress("127.0.0.1:0"))
	l := gettyListener{got: func(s getty.Session, payload []byte) { _, _, _ = s.WritePkg(payload, 0) }}
	s.RunEventLoop(l.session)
	stream, ok := s.(getty.StreamServer)
	if !ok || stream.Listener() == nil {
		return "", fmt.Errorf("getty: the server has no listener")
	}
	return stream.Listener().Addr().String(), nil
}

type gettyPeer struct {
	client  getty.Client
	session getty.Session
}

func dialGetty(addr string, got func([]byte)) (Peer, error) {
	getty.SetLogger(gettyQuiet{})
	opened := make(chan getty.Session, 1)
	l := gettyListener{got: func(_ getty.Session, payload []byte) { got(payload) }, opened: opened}
	client := getty.NewTCPClient(getty.WithServerAddress(addr), getty.WithConnectionNumber(1))
	go client.RunEventLoop(l.session) // it sleeps for a while once it has connected
	select {
	case s := <-opened:
		return gettyPeer{client, s}, nil
	case <-time.After(5 * time.Second):
		client.Close()
		return nil, fmt.Errorf("getty: no session")
	}
}

func (p gettyPeer) Send(message []byte) error {
	_, _, err := p.session.WritePkg(message, 0)
	return err
}

func (p gettyPeer) Close() error {
	p.client.Close()
	return nil
}

// gettyQuiet drops getty's log lines.
type gettyQuiet struct{}

func (gettyQuiet) Info(...any)           {}
func (gettyQuiet) Warn(...any)           {}
func (gettyQuiet) Error(...any)          {}
func (gettyQuiet) Debug(...any)          {}
func (gettyQuiet) Infof(string, ...any)  {}
func (gettyQuiet) Warnf(string, ...any)  {}
func (gettyQuiet) Errorf(string, ...any) {}
func (gettyQuiet) Debugf(string, ...any) {}
