//go:build linux

package attack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/panjf2000/gnet/v2"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// booted is a Handler that tells which gnet engine runs it.
type booted struct {
	*netasync.Handler
	engine chan gnet.Engine
}

func (b *booted) OnBoot(e gnet.Engine) gnet.Action {
	b.engine <- e
	return b.Handler.OnBoot(e)
}

// playHandler echoes, at a port of its own. If gnet ends by itself, it says "gnet" and the error that
// gnet.Run returned, when all sessions have ended.
func playHandler(r role) error {
	o := serverOptions(r)
	o.Inline, o.OnEvent = true, func(s *netasync.Session, ev netasync.Event) {
		if ev.Kind == netasync.Message {
			_ = s.Send(context.Background(), ev.Payload)
		}
	}
	h, err := netasync.NewHandler(o)
	if err != nil {
		return err
	}
	addr, err := freePort()
	if err != nil {
		return err
	}
	b := &booted{h, make(chan gnet.Engine, 1)}
	over := make(chan error, 1)
	go func() {
		err := gnet.Run(b, "tcp://"+addr, gnet.WithLogger(quiet{}), gnet.WithMulticore(true), gnet.WithReuseAddr(true))
		for h.Stats().Sessions > 0 { // gnet has told the Handler to end, which goes on behind it
			time.Sleep(time.Millisecond)
		}
		say("gnet ended with %v", err)
		over <- err
	}()
	engine := <-b.engine
	say("ready %v", addr)
	waitForEnd()
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	var unsent *netasync.UnsentError
	if err := h.Shutdown(ctx); err != nil && !errors.As(err, &unsent) && !errors.Is(err, netasync.ErrShutdown) {
		return err
	}
	_ = engine.Stop(ctx) // it may have ended by itself
	if err := <-over; err != nil {
		return fmt.Errorf("gnet: %w", err)
	}
	account(h.Stats())
	return nil
}

// freePort returns an address at which nobody listens at the moment. To ask gnet for the one that it
// has chosen, by Dup, is a data race with its end.
func freePort() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}

// quiet is a logger for gnet, which would write to stdout.
type quiet struct{}

func (quiet) Debugf(string, ...any) {}

func (quiet) Infof(string, ...any) {}

func (quiet) Warnf(string, ...any) {}

func (quiet) Errorf(string, ...any) {}

func (quiet) Fatalf(string, ...any) {}
