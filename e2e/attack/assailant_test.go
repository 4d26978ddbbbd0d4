//go:build linux

package attack

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/netasync/netasync/internal/testkit"
)

// attack is one way to be hostile.
type attack struct {
	name  string
	conns int // open at a time, or one after the other in as many places
	tls   bool
	// slow says that a time limit is to end what it does, at last. The attack is longer then.
	slow bool
	// life is that of one connection. It ends when the server has ended that, and another begins.
	life func(role, net.Conn)
	// memory is how many bytes ours may take for one connection; all is what they may take beside
	// that, if it is more than slack.
	memory int
	all    func(server string) int
}

// What a session may take that holds nothing, with its goroutines: without and with TLS; and one that
// is full: what waits in both directions, what Recv hands out, what was read when it left its event
// loop, and what is read there. The garbage collector doubles all.
const (
	idle    = 2 * 24 << 10
	idleTLS = 2 * 64 << 10
	busy    = 2 * (3*buffered + 512<<10 + 64<<10)
	slack   = 48 << 20 // what a busy process takes, whatever is done to it
)

// unfinished is what messages that have begun may take: somewhat more for a moment, and doubled by
// the garbage collector.
func unfinished(server string) int {
	if server == handler {
		return 3 * defaultAssembly
	}
	return 3 * assembly
}

var attacks = []attack{
	{name: "half headers", conns: 1000, slow: true, life: halfHeader, memory: idle},
	{name: "dribblers", conns: 1000, slow: true, life: dribble, memory: idle},
	{name: "announcers", conns: 1000, slow: true, life: announce, memory: idle, all: unfinished},
	{name: "never-readers", conns: 200, life: neverRead, memory: busy},
	{name: "heartbeats", conns: 20, life: flood(make([]byte, 64<<10)), memory: busy},
	{name: "1 B messages", conns: 20, life: flood(bytes.Repeat(testkit.Frames("x"), 10<<10)), memory: busy},
	{name: "64 KiB messages", conns: 20, life: flood(testkit.Frames(make([]byte, 64<<10))), memory: busy},
	{name: "resets", conns: 64, life: reset, memory: idle},
	{name: "silent TLS", conns: 1000, tls: true, life: silence, memory: idleTLS},
	{name: "half TLS", conns: 1000, tls: true, life: halfHello, memory: idleTLS},
	{name: "wrong certificates", conns: 32, tls: true, life: wrongPapers, memory: idleTLS},
}

// mostPerSecond bounds how many connections all places make together: a server that closes them at once
// is to be attacked as often as one that keeps them for a while.
const mostPerSecond = 4000

// playAttack attacks. It says "ready" when each place had a connection, "cut" when the server has
// ended one, and "end" with the number of connections that were made.
func playAttack(r role) error {
	i := slices.IndexFunc(attacks, func(a attack) bool { return a.name == r.Attack })
	if i < 0 {
		return fmt.Errorf("no attack is called %q", r.Attack)
	}
	b := battle{begun: make(chan struct{})}
	b.first.Add(r.Conns)
	for range r.Conns {
		go b.place(r, attacks[i].life)
	}
	b.first.Wait()
	say("ready")
	close(b.begun)
	waitForEnd()
	say("end %d", b.made.Load())
	return nil
}

// battle is an attack that is under way.
type battle struct {
	made  atomic.Int64
	first sync.WaitGroup // places that have not tried to connect yet
	begun chan struct{}  // closed when all have
	cut   sync.Once
}

// place makes one connection after the other.
func (b *battle) place(r role, life func(role, net.Conn)) {
	for began := b.first.Done; ; began = func() {} {
		conn, err := net.DialTimeout("tcp", r.Addr, testkit.Patience)
		began()
		if err == nil {
			b.made.Add(1)
			life(r, conn)
			_ = conn.Close()
			<-b.begun
			b.cut.Do(func() { say("cut") })
		}
		time.Sleep(time.Duration(r.Conns) * time.Second / mostPerSecond)
	}
}

// untilCut waits until the server ends a connection.
func untilCut(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// halfHeader proves that it lives, and stops within a header.
func halfHeader(_ role, conn net.Conn) {
	_, _ = conn.Write([]byte{0, 0, 0, 0, 0, 0})
	untilCut(conn)
}

// dribble sends a large message by a byte at a time, several within each period.
func dribble(_ role, conn net.Conn) {
	go untilCut(conn)
	_, err := conn.Write(binary.BigEndian.AppendUint32(nil, maxPayload))
	for err == nil {
		time.Sleep(period / 4)
		_, err = conn.Write([]byte{'x'})
	}
}

// announce begins a large message, and stops.
func announce(_ role, conn net.Conn) {
	_, _ = conn.Write(binary.BigEndian.AppendUint32(nil, maxPayload))
	_, _ = conn.Write(make([]byte, 128<<10))
	untilCut(conn)
}

// neverRead wants echoes and does not take them.
func neverRead(_ role, conn net.Conn) {
	_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	for frame, err := testkit.Frames(make([]byte, 16<<10)), error(nil); err == nil; {
		_, err = conn.Write(frame)
	}
}

// flood sends the same for ever, and takes what comes.
func flood(what []byte) func(role, net.Conn) {
	return func(_ role, conn net.Conn) {
		go untilCut(conn)
		for err := error(nil); err == nil; {
			_, err = conn.Write(what)
		}
	}
}

// reset resets a connection that has just begun.
func reset(_ role, conn net.Conn) {
	_, _ = conn.Write([]byte{0, 0})
	_ = conn.(*net.TCPConn).SetLinger(0)
}

// silence says nothing.
func silence(_ role, conn net.Conn) { untilCut(conn) }

// halfHello begins a handshake of TLS: a record of 512 bytes, of which 100 come.
func halfHello(_ role, conn net.Conn) {
	_, _ = conn.Write(append([]byte{22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3}, make([]byte, 94)...))
	untilCut(conn)
}

// wrongPapers does the handshake to its end, with a certificate of somebody whom the server does not
// believe.
func wrongPapers(r role, conn net.Conn) {
	t := tls.Client(conn, r.TLS.config())
	if t.Handshake() == nil {
		untilCut(t) // with TLS 1.3 the refusal comes behind the handshake
	}
}
