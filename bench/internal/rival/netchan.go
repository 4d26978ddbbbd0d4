package rival

import (
	"bufio"
	"io"
	"net"

	"github.com/netasync/netasync/bench/internal/wire"
)

// chanCap is the capacity of the channels, the same as the default of this library's buffers.
const chanCap = 128

// NetChan is what one writes by hand today to have messages on channels: for each connection a reading and a
// writing goroutine, and the user's own between them.
func NetChan(o Options) (net.Addr, error) {
	return listen(o, func(c net.Conn) {
		in, out := Channels(c)
		defer close(out)
		for m := range in {
			out <- m
		}
	})
}

// Channels turns a connection into a channel of what it receives, which is closed with the connection, and one of
// what it sends, which the user closes to end it.
func Channels(c net.Conn) (<-chan []byte, chan<- []byte) {
	in, out := make(chan []byte, chanCap), make(chan []byte, chanCap)
	go readFrames(c, in)
	go writeFrames(c, out)
	return in, out
}

func readFrames(c net.Conn, in chan<- []byte) {
	defer close(in)
	r := bufio.NewReaderSize(c, bufSize)
	var header [wire.HeaderLen]byte
	for {
		if _, err := io.ReadFull(r, header[:]); err != nil {
			return
		}
		payload := make([]byte, wire.Length(header[:]))
		if _, err := io.ReadFull(r, payload); err != nil {
			return
		}
		in <- payload
	}
}

// writeFrames gathers what the channel holds and flushes when it is empty. After an error it goes on taking
// messages, so that no sender hangs.
func writeFrames(c net.Conn, out <-chan []byte) {
	defer c.Close()
	w := bufio.NewWriterSize(c, bufSize)
	var header [wire.HeaderLen]byte
	for payload := range out {
		wire.PutHeader(header[:], len(payload))
		_, _ = w.Write(header[:]) // an error sticks to w: the flush below returns it
		_, _ = w.Write(payload)
		if len(out) > 0 {
			continue
		}
		if w.Flush() != nil {
			c.Close()
		}
	}
}
