//go:build linux

package attack

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// playDialer dials a server with so many descriptors left as it is told, line by line: for each number
// by an engine of its own, with which event loops may be missing as well. When three attempts have
// failed, or the session is connected, descriptors are free again, and it says "talks" when a message
// was answered.
func playDialer(r role) error {
	for line := range untilTold {
		left, err := strconv.Atoi(line)
		if err != nil {
			return err
		}
		if err := dialWith(left, r.Addr); err != nil {
			return fmt.Errorf("with %d descriptors: %w", left, err)
		}
	}
	say("end")
	return nil
}

func dialWith(left int, addr string) error {
	before := openFiles()
	engine, err := netasync.NewEngine(netasync.EngineOptions{Loops: 2})
	if err != nil {
		return err
	}
	free := exhaust(left)
	s, err := engine.Connect(addr, netasync.ConnectOptions{
		Backoff: netasync.FixedDelay(10 * time.Millisecond), HeartbeatPeriod: period, HeartbeatTimeout: timeout,
	})
	if err != nil {
		return err
	}
	for s.Stats().Attempts < 4 && s.State() != netasync.StateConnected {
		time.Sleep(time.Millisecond)
	}
	why := s.Stats().LastError
	free()
	if err := ask(s); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	if err := engine.Shutdown(ctx); err != nil {
		return err
	}
	say("talks after %d attempts, %v", s.Stats().Attempts, why)
	if now := openFiles(); now > before {
		return fmt.Errorf("%d descriptors were open, and now %d are", before, now)
	}
	return nil
}

// openFiles returns how many descriptors this process has open.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		panic(err)
	}
	return len(entries)
}

// exhaust opens files until there are so many descriptors left. What it returns closes them.
func exhaust(left int) (free func()) {
	var files []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		files = append(files, f)
	}
	for _, f := range files[:left] {
		_ = f.Close()
	}
	return func() {
		for _, f := range files[left:] {
			_ = f.Close()
		}
	}
}

// ask sends a message, again on each connection, until it is answered.
func ask(s *netasync.Session) error {
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	if err := s.Send(ctx, []byte("well?")); err != nil {
		return err
	}
	for {
		ev, err := s.Recv(ctx)
		if err != nil {
			return err
		}
		switch ev.Kind {
		case netasync.Message:
			return nil
		case netasync.Disconnected: // what was under way may be lost
			if ev.Queued == 0 {
				if err := s.Send(ctx, []byte("well?")); err != nil {
					return err
				}
			}
		}
	}
}
