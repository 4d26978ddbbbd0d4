//go:build linux

package attack

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"time"
)

// playPlain is what a careful person writes by hand: a goroutine for each connection, buffered reads
// and writes, a limit of the length, and a time limit for each read and write that may wait.
func playPlain(r role) error {
	ln, err := net.Listen("tcp", r.Addr)
	if err != nil {
		return err
	}
	config := r.TLS.config()
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				time.Sleep(5 * time.Millisecond)
				continue
			}
			go servePlain(conn, config)
		}
	}()
	say("ready %v", ln.Addr())
	waitForEnd()
	say("end")
	return nil
}

func servePlain(conn net.Conn, config *tls.Config) {
	defer conn.Close()
	if config != nil {
		t := tls.Server(conn, config)
		_ = conn.SetDeadline(time.Now().Add(timeout))
		if t.Handshake() != nil {
			return
		}
		conn = t
	}
	in, out := bufio.NewReader(conn), bufio.NewWriter(conn)
	var header [4]byte
	var payload []byte
	for {
		if in.Buffered() < len(header) {
			_ = conn.SetReadDeadline(time.Now().Add(timeout))
		}
		if _, err := io.ReadFull(in, header[:]); err != nil {
			return
		}
		n := int(binary.BigEndian.Uint32(header[:]))
		if n == 0 {
			continue
		}
		if n > maxPayload {
			return
		}
		if n > cap(payload) {
			payload = make([]byte, n)
		}
		if in.Buffered() < n {
			_ = conn.SetReadDeadline(time.Now().Add(timeout))
		}
		if _, err := io.ReadFull(in, payload[:n]); err != nil {
			return
		}
		if out.Available() < len(header)+n || in.Buffered() < len(header) {
			_ = conn.SetWriteDeadline(time.Now().Add(timeout))
		}
		_, _ = out.Write(header[:]) // an error comes again
		_, err := out.Write(payload[:n])
		if in.Buffered() < len(header) {
			err = out.Flush()
		}
		if err != nil {
			return
		}
	}
}
