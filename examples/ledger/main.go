// Command ledger moves money between two banks over a link that is cut all the time: first by plain
// sessions, whose messages arrive at most once, and then by sessions with Resume. It shows the sum of
// all accounts, which must not change.
//
//	go run ./examples/ledger
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/examples/internal/cli"
	"github.com/netasync/netasync/examples/internal/flaky"
)

// patience bounds the end of a day, when the link is calm.
const patience = 15 * time.Second

func main() {
	cli.Main("ledger", parse, func(ctx context.Context, o options) error { return run(ctx, o, os.Stdout) })
}

// run spends a day in each way. A signal ends the day, and there is no other one.
func run(ctx context.Context, o options, out io.Writer) error {
	for _, resume := range o.ways {
		d := newDay(o, resume)
		if err := d.spend(ctx, out); err != nil {
			return err
		}
		result, err := d.result()
		fmt.Fprintln(out, result)
		if err != nil || ctx.Err() != nil {
			return err
		}
	}
	return nil
}

// day is two banks, and the link between them.
type day struct {
	options
	resume bool
	link   flaky.Link
	banks  [2]*bank
}

func newDay(o options, resume bool) *day {
	return &day{
		options: o, resume: resume, link: flaky.Link{Every: o.cuts}, banks: [2]*bank{newBank(), newBank()},
	}
}

// spend opens both banks, cuts their link for a while, and closes them.
func (d *day) spend(ctx context.Context, out io.Writer) error {
	var engines [2]*netasync.Engine
	for i := range engines {
		engine, err := netasync.NewEngine(netasync.EngineOptions{Loops: 1})
		if err != nil {
			return err
		}
		engines[i] = engine
	}
	var bookers, senders sync.WaitGroup
	working, home := context.WithCancel(context.Background())
	defer home()
	err := d.connect(engines, &bookers)
	if err == nil {
		for _, b := range d.banks {
			senders.Go(func() { b.send(working, d.pace) })
		}
		d.watch(ctx, out)
		err = d.settle()
	}
	home()
	senders.Wait()
	err = errors.Join(err, leave(engines))
	bookers.Wait()
	return err
}

// connect connects the banks: the second one listens, the first one dials. With Resume each has one
// session. Without, the second one has a new session whenever the link was cut.
func (d *day) connect(engines [2]*netasync.Engine, bookers *sync.WaitGroup) error {
	listener, err := engines[1].Listen("127.0.0.1:0", netasync.ListenOptions{Resume: d.resume})
	if err != nil {
		return err
	}
	s, err := engines[0].Connect(listener.Addr().String(), netasync.ConnectOptions{
		Resume: d.resume, Dial: d.link.Dial, Backoff: netasync.FixedDelay(5 * time.Millisecond),
	})
	if err != nil {
		return err
	}
	bookers.Go(func() { d.banks[0].book(s) })
	bookers.Go(func() {
		for s := range listener.AcceptChan() {
			d.banks[1].book(s) // without Resume this ends with each cut
		}
	})
	return nil
}

// leave ends all sessions when what they have to say has gone out, with Resume when it has arrived.
func leave(engines [2]*netasync.Engine) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var err error
	for _, engine := range engines {
		for s := range engine.Sessions() {
			err = errors.Join(err, s.Flush(ctx))
		}
	}
	for _, engine := range engines {
		err = errors.Join(err, engine.Shutdown(ctx))
	}
	return err
}

// watch prints a line each second, until the time is over.
func (d *day) watch(ctx context.Context, out io.Writer) {
	fmt.Fprintf(out, "\n%s, a cut every %v\n", d.name(), d.cuts)
	ctx, cancel := context.WithTimeout(ctx, d.lasts)
	defer cancel()
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for n := 1; ; n++ {
		select {
		case <-second.C:
			b := balance(d.banks)
			fmt.Fprintf(out, "%3ds  %7d transfers  %4d cuts  sum %d of %d, of which %d are on their way\n",
				n, b.arrived, d.link.Cuts(), b.accounts+b.onTheWay, b.before, b.onTheWay)
		case <-ctx.Done():
			return
		}
	}
}

// settle calms the link, and waits until nothing is on its way: all has arrived, or never will.
func (d *day) settle() error {
	d.link.Calm()
	for _, b := range d.banks {
		b.close()
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !balance(d.banks).settled; <-tick.C {
		if time.Now().After(end) {
			return fmt.Errorf("%s: the banks did not hear of each other for %v", d.name(), patience)
		}
	}
	return nil
}

// result says what has become of the money. That Resume changes the sum, or makes a transfer twice, is an error.
func (d *day) result() (string, error) {
	b := balance(d.banks)
	short := b.before - b.accounts
	text := fmt.Sprintf("%s: %d of %d transfers lost, %d made twice, by %d cuts; ",
		d.name(), b.lost, b.arrived+b.lost, b.twice, d.link.Cuts())
	if short == 0 && b.lost == 0 && b.twice == 0 {
		return text + "the sum is what it was", nil
	}
	text += fmt.Sprintf("the sum is short by %d", short)
	if d.resume {
		return text, errors.New("a session with Resume has not done what it is for")
	}
	return text, nil
}

func (d *day) name() string {
	if d.resume {
		return "Resume (exactly once)"
	}
	return "plain (at most once)"
}
