package movingfromgetty

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log"
	"sync"
	"time"

	getty "github.com/apache/dubbo-getty"
)

//doc:begin readwriter
const (
	period     = 5 * time.Second // of heartbeats
	timeout    = 4 * period      // of silence
	maxPayload = 4 << 20
)

// codec is a getty.ReadWriter: four bytes of length, and an empty package is a heartbeat.
type codec struct{}

func (codec) Read(_ getty.Session, buf []byte) (any, int, error) {
	if len(buf) < 4 {
		return nil, 0, nil
	}
	n := int(binary.BigEndian.Uint32(buf))
	if n > maxPayload {
		return nil, 0, fmt.Errorf("a package of %d bytes", n)
	}
	if len(buf) < 4+n {
		return nil, 4 + n, nil
	}
	return append([]byte{}, buf[4:4+n]...), 4 + n, nil
}

func (codec) Write(_ getty.Session, pkg any) ([]byte, error) {
	//doc:skip
	payload, ok := pkg.([]byte)
	if !ok {
		return nil, fmt.Errorf("cannot send a %T", pkg)
	}
	frame := make([]byte, 4, 4+len(payload))
	binary.BigEndian.PutUint32(frame, uint32(len(payload)))
	return append(frame, payload...), nil
	//doc:resume
}

//doc:end

//doc:begin listener

// listener is a getty.EventListener, for both ends.
type listener struct {
	opened, closed func(getty.Session)
	got            func(s getty.Session, payload []byte)
}

func (l *listener) OnOpen(s getty.Session) error       { l.opened(s); return nil }
func (l *listener) OnError(s getty.Session, err error) { log.Print(s.Stat(), err) }
func (l *listener) OnClose(s getty.Session)            { l.closed(s) }

func (l *listener) OnMessage(s getty.Session, pkg any) {
	if payload := pkg.([]byte); len(payload) > 0 { // else a heartbeat
		l.got(s, payload)
	}
}

func (l *listener) OnCron(s getty.Session) {
	if time.Since(s.GetActive()) > timeout {
		s.Close()
		return
	}
	if _, _, err := s.WritePkg([]byte{}, time.Second); err != nil {
		log.Print(err)
	}
}

func (l *listener) newSession(s getty.Session) error {
	s.SetMaxMsgLen(4 + maxPayload) // else 4 KiB
	s.SetPkgHandler(codec{})
	s.SetEventListener(l)
	s.SetCronPeriod(int(period.Milliseconds()))
	return nil
}

//doc:end

//doc:begin getty
func listen(addr string, got func(getty.Session, []byte)) getty.Server {
	ignore := func(getty.Session) {}
	server := getty.NewTCPServer(getty.WithLocalAddress(addr))
	server.RunEventLoop((&listener{ignore, ignore, got}).newSession)
	return server
}

// A client knows which session there is at the moment.
type client struct {
	getty.Client
	mu      sync.Mutex
	session getty.Session
}

func dial(addr string, got func(getty.Session, []byte)) *client {
	c := &client{Client: getty.NewTCPClient(getty.WithServerAddress(addr), getty.WithConnectionNumber(1))}
	go c.RunEventLoop((&listener{c.opened, c.closed, got}).newSession) // returns when there is a session
	return c
}

func (c *client) opened(s getty.Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = s
}

func (c *client) closed(s getty.Session) { // comes after opened of the next one
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == s {
		c.session = nil
	}
}

func (c *client) send(payload []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil {
		return errors.New("no session")
	}
	_, _, err := c.session.WritePkg(payload, time.Second)
	return err
}

//doc:end
