package measure

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/netasync/netasync/bench/internal/child"
	"github.com/netasync/netasync/bench/internal/result"
	"github.com/netasync/netasync/bench/internal/storm"
)

// Storm is a server that dies and starts again under many dialed sessions.
type Storm struct {
	header
	Sessions int
	Outage   time.Duration // between the server's death and its return
	Limit    time.Duration // for the sessions to come back
}

// stormServer is the echo server with the least to do per connection, so that it does not hide what dials.
const stormServer = "beat"

// Measure kills the server once all sessions have talked, and starts it again on the same port.
func (s Storm) Measure(ctx context.Context, subject string) (result.Sample, error) {
	addr, err := quietPort()
	if err != nil {
		return result.Sample{}, err
	}
	server, _, err := child.This.StartServer(ctx, serverArgs(stormServer, "", "-addr", addr)...)
	if err != nil {
		return result.Sample{}, err
	}
	defer func() { server.Kill() }()
	fleet, err := child.This.Start(ctx, "storm", "-fleet", subject, "-addr", addr,
		"-sessions", itoa(s.Sessions), "-limit", s.Limit.String())
	if err != nil {
		return result.Sample{}, err
	}
	defer fleet.Kill()
	if _, err := fleet.Await(child.Ready); err != nil {
		return result.Sample{}, err
	}
	server.Kill()
	dials := countDials()
	time.Sleep(s.Outage)
	server, _, err = child.This.StartServer(ctx, serverArgs(stormServer, "", "-addr", addr)...)
	if err != nil {
		_, _ = dials.stop()
		return result.Sample{}, err
	}
	up := time.Now()
	var times storm.Times
	err = fleet.Result(&times)
	peak, dialErr := dials.stop()
	if err == nil {
		err = dialErr
	}
	return s.sample(subject, map[string]float64{
		result.HalfAgain: max(times.Half.Sub(up).Seconds(), 0),
		result.AllAgain:  max(times.All.Sub(up).Seconds(), 0),
		result.PeakDials: peak,
	}), err
}

// quietPort finds a free port below those that the system gives to dialing sockets. Above, a dial to the absent
// server may get the server's own port and connect to itself, and the server cannot come back.
func quietPort() (string, error) {
	lowest, err := ephemeral()
	if err != nil {
		return "", err
	}
	for port := lowest - 1; port > lowest-1000; port-- {
		addr := net.JoinHostPort("127.0.0.1", itoa(port))
		l, err := net.Listen("tcp", addr)
		if err == nil {
			return addr, l.Close()
		}
	}
	return "", fmt.Errorf("no free port below %d", lowest)
}
