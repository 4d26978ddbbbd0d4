package movingfromnet

import (
	"context"
	"time"

	"github.com/netasync/netasync"
)

// connect is a client by this library.
func connect(ctx context.Context, engine *netasync.Engine, addr string, got func([]byte)) (*netasync.Session, error) {
	//doc:begin client-after
	s, err := engine.Connect(addr, netasync.ConnectOptions{})
	if err != nil {
		return nil, err // a bad option, never the network
	}
	go func() {
		for payload, err := range s.Messages(ctx) {
			if err != nil {
				return // ctx has ended, or the session has
			}
			got(payload)
		}
	}()
	// Anybody may now call s.Send(ctx, message).
	//doc:end
	return s, nil
}

//doc:begin server-after

// serveSessions is a server by this library.
func serveSessions(ctx context.Context, l *netasync.Listener, answer func([]byte) []byte) {
	for s := range l.AcceptChan() {
		go func() {
			for request, err := range s.Messages(ctx) {
				if err != nil || s.Send(ctx, answer(request)) != nil {
					return
				}
			}
		}()
	}
}

//doc:end

// toSilentPeers are the options for peers that neither send heartbeats nor understand them.
func toSilentPeers() netasync.ListenOptions {
	//doc:begin silent
	o := netasync.ListenOptions{
		NoGreeting:      true,           // no heartbeat at the beginning
		HeartbeatPeriod: 24 * time.Hour, // nor later; silence ends a connection after four days
		Codec:           netasync.Codec{Width: 2, LittleEndian: true},
	}
	//doc:end
	return o
}
