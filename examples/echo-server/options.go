package main

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"net"
	"strings"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/examples/internal/cli"
)

type options struct {
	addr   string
	api    string
	prefix string
	delay  time.Duration
	loops  int
	quiet  bool
	debug  string
	listen netasync.ListenOptions
}

// parse reads the command line. Its errors are one line that names the flag.
func parse(args []string) (options, error) {
	o := options{api: "chan"}
	var readCap int
	var cert, key, clientCA string
	f := flag.NewFlagSet("echo-server", flag.ContinueOnError)
	f.StringVar(&o.addr, "addr", "127.0.0.1:8899", "`address` to listen on: host:port, or unix:/path")
	f.StringVar(&o.prefix, "prefix", "ECHO/", "`text` put before every reply")
	f.Func("api", "how sessions are consumed: chan, recv, callback or inline (default chan)", func(s string) error {
		if s == "handler" { // its former name, which is that of other things, too
			s = "callback"
		}
		o.api = s
		return oneOf(s, "chan", "recv", "callback", "inline")
	})
	f.DurationVar(&o.delay, "delay", 0, "sleep so long before each reply; with -api inline this holds up the loop's other sessions")
	f.DurationVar(&o.listen.HeartbeatPeriod, "heartbeat-period", 5*time.Second, "send a heartbeat after so long without a message")
	f.DurationVar(&o.listen.HeartbeatTimeout, "heartbeat-timeout", 0, "give a silent peer up after so long; 0 means 4 periods")
	f.IntVar(&o.listen.MaxPayload, "max-payload", 0, "largest message in `bytes`, both ways; 0 means 4 MiB")
	f.IntVar(&readCap, "read-cap", 0, "`messages` of a session that may wait to be answered; 0 means the library's default")
	f.IntVar(&o.loops, "loops", 0, "`number` of event loops; 0 means one for each processor")
	f.StringVar(&o.debug, "debug", "", "`address` to serve the page of package debugpage at: host:port")
	f.BoolVar(&o.quiet, "quiet", false, "print no lines about sessions")
	f.StringVar(&cert, "tls-cert", "", "certificate `file` (PEM): speak TLS")
	f.StringVar(&key, "tls-key", "", "private key `file` of the certificate (PEM)")
	f.StringVar(&clientCA, "tls-client-ca", "", "`file` with the authorities (PEM) that clients must have a certificate of")
	err := cli.Parse(f, args)
	if err == nil && f.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q: every option is a flag", f.Arg(0))
	}
	if err == nil {
		err = o.check(readCap)
	}
	if err == nil {
		o.listen.TLS, err = cli.ServerTLS(cert, key, clientCA)
	}
	o.listen.ReadBuffer = netasync.Fixed(readCap)
	return o, err
}

func oneOf(s string, words ...string) error {
	for _, w := range words {
		if s == w {
			return nil
		}
	}
	return errors.New("want one of " + strings.Join(words, ", "))
}

// check finds the values the library would refuse, to answer with the name of
// the flag instead of the name of the field.
func (o *options) check(readCap int) error {
	period, timeout := o.listen.HeartbeatPeriod, o.listen.HeartbeatTimeout
	if _, _, err := net.SplitHostPort(o.addr); err != nil && !strings.HasPrefix(o.addr, "unix:") {
		return fmt.Errorf("flag -addr: %w", err)
	}
	switch {
	case o.delay < 0:
		return fmt.Errorf("flag -delay: %v is negative", o.delay)
	case period <= 0:
		return fmt.Errorf("flag -heartbeat-period: %v is not positive", period)
	case timeout != 0 && timeout < 2*period:
		return fmt.Errorf("flag -heartbeat-timeout: %v is under two heartbeat periods, %v", timeout, 2*period)
	case o.listen.MaxPayload < 0 || o.listen.MaxPayload > math.MaxInt32:
		return fmt.Errorf("flag -max-payload: %d is not between 0 and %d", o.listen.MaxPayload, math.MaxInt32)
	case readCap < 0:
		return fmt.Errorf("flag -read-cap: %d is negative", readCap)
	case o.loops < 0:
		return fmt.Errorf("flag -loops: %d is negative", o.loops)
	}
	return nil
}
