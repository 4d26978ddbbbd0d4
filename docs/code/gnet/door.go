// Package gnetdoor is a gnet server whose port speaks lines of text, and messages.
package gnetdoor

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"

	"github.com/netasync/netasync"
)

const maxLine = 1 << 10

//doc:begin door

// A door serves lines to those whose first byte is a letter, and messages to all others. What it does not
// define itself is the Handler's.
type door struct {
	*netasync.Handler
	booted chan gnet.Engine
	most   int64 // connections of both kinds
	open   atomic.Int64
}

func (d *door) OnOpen(gnet.Conn) ([]byte, gnet.Action) {
	if d.open.Add(1) > d.most {
		return nil, gnet.Close // OnClose follows
	}
	return nil, gnet.None // nothing has been said yet
}

func (d *door) OnTraffic(c gnet.Conn) gnet.Action {
	if c.Context() == nil {
		first, _ := c.Peek(1)
		c.SetContext(first[0] != 0) // a message of less than 16 MiB begins with a zero
	}
	if c.Context() == true {
		return d.lines(c)
	}
	return d.Handler.OnTraffic(c) // the first time, it makes a session of c
}

func (d *door) OnClose(c gnet.Conn, err error) gnet.Action {
	d.open.Add(-1)
	return d.Handler.OnClose(c, err) // what is not its own it ignores
}

// lines answers each line.
func (d *door) lines(c gnet.Conn) gnet.Action {
	//doc:skip
	for {
		text, _ := c.Peek(-1)
		end := bytes.IndexByte(text, '\n')
		if end < 0 {
			if len(text) > maxLine {
				return gnet.Close
			}
			return gnet.None
		}
		if _, err := c.Write(bytes.ToUpper(text[:end+1])); err != nil {
			return gnet.Close
		}
		_, _ = c.Discard(end + 1)
	}
	//doc:resume
}

//doc:end

func (d *door) OnBoot(engine gnet.Engine) gnet.Action {
	d.booted <- engine
	return gnet.None
}

//doc:begin run

// run serves until ctx ends. The sessions go first, so that they flush while the event loops still turn.
func run(ctx context.Context, d *door, addr string, o ...gnet.Option) error {
	//doc:skip
	ended := make(chan error, 1)
	go func() { ended <- gnet.Run(d, addr, o...) }()
	var users sync.WaitGroup
	users.Go(func() { serve(d.Handler, &users) })
	var engine gnet.Engine
	select {
	case err := <-ended:
		return errors.Join(err, d.Shutdown(ctx)) // the port is taken, for instance
	case engine = <-d.booted:
	}
	select {
	case err := <-ended:
		return errors.Join(errors.New("gnet has ended by itself"), err) // no descriptor was left, for instance
	case <-ctx.Done():
	}
	//doc:resume
	bounded, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err := d.Shutdown(bounded) // 1. sessions: AcceptChan ends, what was sent is flushed, all are closed
	users.Wait()               // 2. your goroutines, whose sessions have ended
	return errors.Join(err, engine.Stop(bounded), <-ended)
}

//doc:end

// serve answers each message, in upper case as well.
func serve(h *netasync.Handler, users *sync.WaitGroup) {
	for s := range h.AcceptChan() {
		users.Go(func() {
			for request, err := range s.Messages(context.Background()) {
				if err != nil || s.Send(context.Background(), bytes.ToUpper(request)) != nil {
					return
				}
			}
		})
	}
}
