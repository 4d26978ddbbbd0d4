// Package movingfromnet is a client and a server around package net, and the same by this library.
package movingfromnet

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

const (
	period     = 5 * time.Second // of heartbeats
	timeout    = 4 * period      // of silence
	maxPayload = 4 << 20
)

// writeFrame writes a message; an empty one is a heartbeat.
func writeFrame(conn net.Conn, payload []byte) error {
	frame := make([]byte, 4, 4+len(payload))
	binary.BigEndian.PutUint32(frame, uint32(len(payload)))
	if err := conn.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	_, err := conn.Write(append(frame, payload...))
	return err
}

// readFrames hands each message to got, until the connection ends or is silent for too long.
func readFrames(conn net.Conn, got func([]byte) error) error {
	r := bufio.NewReader(conn)
	for {
		if err := conn.SetReadDeadline(time.Now().Add(timeout)); err != nil {
			return err
		}
		var header [4]byte
		if _, err := io.ReadFull(r, header[:]); err != nil {
			return err
		}
		n := binary.BigEndian.Uint32(header[:])
		if n > maxPayload {
			return fmt.Errorf("a message of %d bytes", n)
		}
		payload := make([]byte, n)
		if _, err := io.ReadFull(r, payload); err != nil {
			return err
		}
		if n == 0 {
			continue // a heartbeat
		}
		if err := got(payload); err != nil {
			return err
		}
	}
}

//doc:begin client
type client struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error) // a net.Dialer's
	addr string
	out  chan []byte        // what is to be sent
	got  func([]byte) error // takes the answers
}

func (c *client) run(ctx context.Context) {
	const least, most = 100 * time.Millisecond, 5 * time.Second
	for wait := least; ctx.Err() == nil; wait = min(2*wait, most) {
		conn, err := c.dial(ctx, "tcp", c.addr)
		if err == nil {
			wait = least
			err = c.talk(ctx, conn)
		}
		log.Printf("no connection to %s: %v", c.addr, err)
		select {
		case <-time.After(wait + rand.N(wait/4)):
		case <-ctx.Done():
		}
	}
}

func (c *client) talk(ctx context.Context, conn net.Conn) error {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	ended := make(chan error, 1)
	go func() { ended <- readFrames(conn, c.got) }()
	beat := time.NewTicker(period)
	defer beat.Stop()
	for {
		var message []byte
		select {
		case message = <-c.out:
		case <-beat.C:
		case err := <-ended:
			return err
		}
		if err := writeFrame(conn, message); err != nil {
			conn.Close()
			<-ended
			return err // the message is lost
		}
	}
}

//doc:end

//doc:begin server
func serve(l net.Listener, answer func([]byte) []byte) error {
	//doc:skip
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go serveConn(conn, answer)
	}
	//doc:resume
}

func serveConn(conn net.Conn, answer func([]byte) []byte) {
	defer conn.Close()
	var writing sync.Mutex
	write := func(payload []byte) error {
		writing.Lock()
		defer writing.Unlock()
		return writeFrame(conn, payload)
	}
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case <-time.After(period):
			case <-done:
				return
			}
			if write(nil) != nil {
				conn.Close()
				return
			}
		}
	}()
	err := readFrames(conn, func(request []byte) error { return write(answer(request)) })
	log.Printf("%s has gone: %v", conn.RemoteAddr(), err)
}

//doc:end
