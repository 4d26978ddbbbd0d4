package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/examples/internal/cli"
)

// maxLine is the longest line in bytes, the library's default for messages.
const maxLine = 4 << 20

type options struct {
	addr    string
	listens bool
	once    bool
	listen  netasync.ListenOptions
	connect netasync.ConnectOptions
}

// parse reads the command line. Its errors are one line that names the flag.
func parse(args []string) (options, error) {
	var o options
	var window time.Duration
	var listenAddr, cert, key, clientCA, ca, serverName string
	f := flag.NewFlagSet("pipe", flag.ContinueOnError)
	f.Usage = func() {
		fmt.Fprintln(f.Output(), "pipe -listen ADDR writes to stdout what it gets; pipe ADDR sends the lines of stdin there")
		f.PrintDefaults()
	}
	f.StringVar(&listenAddr, "listen", "", "`address` to listen on: host:port, or unix:/path")
	f.BoolVar(&o.once, "once", false, "with -listen: end when the first sender has said goodbye")
	f.DurationVar(&window, "window", 0, "with -listen: wait so long for a sender to come back; 0 means 2 minutes")
	f.StringVar(&cert, "tls-cert", "", "certificate `file` (PEM): of the listener, or to show to it")
	f.StringVar(&key, "tls-key", "", "private key `file` of the certificate (PEM)")
	f.StringVar(&clientCA, "tls-client-ca", "", "with -listen: `file` with the authorities (PEM) that senders must have a certificate of")
	f.StringVar(&ca, "tls-ca", "", "`file` with the authorities (PEM) that the listener must have a certificate of")
	f.StringVar(&serverName, "tls-server-name", "", "`name` in the listener's certificate")
	err := cli.Parse(f, args)
	if err != nil {
		return o, err
	}
	if o.listens = listenAddr != ""; o.listens {
		o.addr = listenAddr
		o.listen = netasync.ListenOptions{Resume: true, ResumeOnly: true, ResumeWindow: window}
		o.listen.TLS, err = cli.ServerTLS(cert, key, clientCA)
	} else {
		o.addr = f.Arg(0)
		o.connect = netasync.ConnectOptions{Resume: true, Linger: patience}
		o.connect.TLS, err = cli.ClientTLS(ca, cert, key, serverName)
	}
	if err != nil {
		return o, err
	}
	return o, o.check(f.NArg(), window, clientCA, ca+serverName)
}

// check finds what makes no sense together.
func (o *options) check(args int, window time.Duration, ofListener, ofSender string) error {
	wanted := 1
	if o.listens {
		wanted = 0
	}
	switch {
	case args != wanted:
		return errors.New("want either -listen ADDR, or the address to send to")
	case !o.listens && (o.once || window != 0 || ofListener != ""):
		return errors.New("flags -once, -window and -tls-client-ca: only with -listen")
	case o.listens && ofSender != "":
		return errors.New("flags -tls-ca and -tls-server-name: not with -listen")
	case window < 0:
		return fmt.Errorf("flag -window: %v is negative", window)
	}
	if _, _, err := net.SplitHostPort(o.addr); err != nil && !strings.HasPrefix(o.addr, "unix:") {
		return fmt.Errorf("address %q: %w", o.addr, err)
	}
	return nil
}
