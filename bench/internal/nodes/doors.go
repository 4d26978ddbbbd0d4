package nodes

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/cluster"
)

// The heartbeats of clients that must notice a node that hangs.
const (
	Period  = 500 * time.Millisecond
	Timeout = 4 * Period
)

// nameOf is the name of the i-th session.
func nameOf(i int) string { return fmt.Sprint("user/", i) }

// sink takes sessions that only receive, and has something done for each.
func sink(engine *netasync.Engine, each func(i int, s *netasync.Session) error) (addr string, err error) {
	l, err := engine.Listen("127.0.0.1:0", netasync.ListenOptions{WriteBuffer: netasync.Fixed(4096)})
	if err != nil {
		return "", err
	}
	go func() {
		for i := 0; ; i++ {
			s, open := <-l.AcceptChan()
			if !open {
				return
			}
			if err := each(i, s); err != nil {
				panic(err)
			}
		}
	}()
	return l.Addr().String(), nil
}

// echo takes sessions that may come back at any node, and sends back what they say.
func (n *node) echo() (addr string, err error) {
	l, err := n.Listen("127.0.0.1:0", netasync.ListenOptions{
		Resume: true, Inline: true, OnEvent: func(s *netasync.Session, ev netasync.Event) {
			if ev.Kind == netasync.Message {
				_ = s.Send(context.Background(), ev.Payload)
			}
		},
	})
	if err != nil {
		return "", err
	}
	return l.Addr().String(), nil
}

// iAm begins what a session says first: the name it wants to have.
const iAm = "i-am "

// answer takes sessions that may come back at any node. Each has the name that it says, and is in the room; what
// else it says is answered by the name of the node.
func (n *node) answer() (addr string, err error) {
	l, err := n.Listen("127.0.0.1:0", netasync.ListenOptions{
		Resume: true, HeartbeatPeriod: Period, HeartbeatTimeout: Timeout,
	})
	if err != nil {
		return "", err
	}
	go func() {
		for s := range l.AcceptChan() {
			go n.converse(s)
		}
	}()
	return l.Addr().String(), nil
}

func (n *node) converse(s *netasync.Session) {
	ctx := context.Background()
	for payload, err := range s.Messages(ctx) {
		if err != nil {
			return
		}
		if name, is := bytes.CutPrefix(payload, []byte(iAm)); is {
			if _, err := n.Claim(ctx, string(name), s, cluster.Replace); err != nil {
				return
			}
			if n.Join(room, s) != nil {
				return
			}
		}
		if s.Send(ctx, []byte(answered+n.Name())) != nil {
			return
		}
	}
}

// answered begins an answer.
const answered = "answer "

// answerOf returns whose answer a message is; empty if it is none.
func answerOf(payload []byte) string {
	if name, is := strings.CutPrefix(string(payload), answered); is {
		return name
	}
	return ""
}

// proxy passes connections on to an address as bytes, as anybody's TCP proxy does. It returns its own address.
func proxy(to string) (addr string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			go pass(in, out)
			go pass(out, in)
		}
	}()
	return l.Addr().String(), nil
}

func pass(from, to net.Conn) {
	_, _ = io.Copy(to, from)
	_, _ = to.Close(), from.Close()
}
