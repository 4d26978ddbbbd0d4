package main

import (
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
	addr     string
	n        int
	size     int
	window   int
	interval time.Duration
	quiet    bool
	connect  netasync.ConnectOptions
}

// Message sizes: the library's default limit, and what the server's prefix may
// add to a message.
const (
	defaultMaxPayload = 4 << 20
	prefixRoom        = 4 << 10
)

// parse reads the command line. Its errors are one line that names the flag.
func parse(args []string) (options, error) {
	var o options
	var addrs string
	var retry time.Duration
	var ca, cert, key, serverName string
	f := flag.NewFlagSet("echo-client", flag.ContinueOnError)
	f.StringVar(&addrs, "addr", "127.0.0.1:8899", "`address` of the server, host:port or unix:/path; several, tried in turn, are joined by commas")
	f.IntVar(&o.n, "n", 0, "end after so many verified `replies`; 0 means go on until interrupted")
	f.IntVar(&o.size, "size", 0, "`bytes` of a message; 0 means a random number")
	f.IntVar(&o.window, "window", 1, "`messages` that may be unanswered at once")
	f.DurationVar(&o.interval, "interval", 3*time.Second, "longest pause between two messages; 0 means as fast as the window allows")
	f.DurationVar(&retry, "retry", 0, "fixed delay before each reconnect; 0 means the library's growing one")
	f.DurationVar(&o.connect.HeartbeatPeriod, "heartbeat-period", 5*time.Second, "send a heartbeat after so long without a message")
	f.DurationVar(&o.connect.HeartbeatTimeout, "heartbeat-timeout", 0, "give a silent server up after so long; 0 means 4 periods")
	f.BoolVar(&o.quiet, "quiet", false, "print the closing ok line and errors only")
	f.StringVar(&ca, "tls-ca", "", "`file` with the authorities (PEM) to trust: speak TLS")
	f.StringVar(&cert, "tls-cert", "", "the client's own certificate `file` (PEM): speak TLS")
	f.StringVar(&key, "tls-key", "", "private key `file` of the certificate (PEM)")
	f.StringVar(&serverName, "tls-server-name", "", "`name` in the server's certificate, if not that of -addr: speak TLS")
	err := cli.Parse(f, args)
	if err == nil && f.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q: every option is a flag", f.Arg(0))
	}
	endpoints := strings.Split(addrs, ",")
	if err == nil {
		err = o.check(endpoints, retry)
	}
	if err == nil {
		o.connect.TLS, err = cli.ClientTLS(ca, cert, key, serverName)
	}
	if retry > 0 {
		o.connect.Backoff = netasync.FixedDelay(retry)
	}
	if o.size+prefixRoom > defaultMaxPayload {
		o.connect.MaxPayload = min(o.size+prefixRoom, math.MaxInt32)
	}
	o.addr, o.connect.Addrs = endpoints[0], endpoints[1:]
	return o, err
}

// check finds the values that make no sense, to answer with the flag's name.
func (o *options) check(endpoints []string, retry time.Duration) error {
	period, timeout := o.connect.HeartbeatPeriod, o.connect.HeartbeatTimeout
	for _, addr := range endpoints {
		if _, _, err := net.SplitHostPort(addr); err != nil && !strings.HasPrefix(addr, "unix:") {
			return fmt.Errorf("flag -addr: %w", err)
		}
	}
	switch {
	case o.n < 0:
		return fmt.Errorf("flag -n: %d is negative", o.n)
	case o.size < 0 || o.size > math.MaxInt32:
		return fmt.Errorf("flag -size: %d is not between 0 and %d", o.size, math.MaxInt32)
	case o.window < 1:
		return fmt.Errorf("flag -window: %d is not positive", o.window)
	case o.interval < 0:
		return fmt.Errorf("flag -interval: %v is negative", o.interval)
	case retry < 0:
		return fmt.Errorf("flag -retry: %v is negative", retry)
	case period <= 0:
		return fmt.Errorf("flag -heartbeat-period: %v is not positive", period)
	case timeout != 0 && timeout < 2*period:
		return fmt.Errorf("flag -heartbeat-timeout: %v is under two heartbeat periods, %v", timeout, 2*period)
	}
	return nil
}
