package rival

import (
	"bufio"
	"io"
	"net"

	"github.com/netasync/netasync/bench/internal/wire"
)

// Net is the plain server of the standard library: a goroutine for each connection that reads and writes through
// bufio, no channels. It flushes when no whole frame is left to answer.
func Net(o Options) (net.Addr, error) {
	return listen(o, func(c net.Conn) {
		defer c.Close()
		_ = echo(bufio.NewReaderSize(c, bufSize), bufio.NewWriterSize(c, bufSize))
	})
}

func echo(r *bufio.Reader, w *bufio.Writer) error {
	var payload []byte
	for {
		header, err := r.Peek(wire.HeaderLen)
		if err != nil {
			return err
		}
		if frame := wire.FrameLen(wire.Length(header)); frame <= bufSize {
			err = echoSmall(r, w, frame)
		} else {
			payload, err = echoLarge(r, w, payload)
		}
		if err != nil {
			return err
		}
		if !frameWaits(r) {
			if err := w.Flush(); err != nil {
				return err
			}
		}
	}
}

// echoSmall copies a frame from one buffer straight into the other.
func echoSmall(r *bufio.Reader, w *bufio.Writer, frame int) error {
	whole, err := r.Peek(frame)
	if err != nil {
		return err
	}
	if _, err = w.Write(whole); err != nil {
		return err
	}
	_, err = r.Discard(frame)
	return err
}

// echoLarge reads a message into a buffer that the connection keeps, and writes it from there.
func echoLarge(r *bufio.Reader, w *bufio.Writer, buf []byte) ([]byte, error) {
	header, err := r.Peek(wire.HeaderLen)
	if err != nil {
		return buf, err
	}
	frame := wire.FrameLen(wire.Length(header))
	if cap(buf) < frame {
		buf = make([]byte, frame)
	}
	buf = buf[:frame]
	if _, err := io.ReadFull(r, buf); err != nil {
		return buf, err
	}
	_, err = w.Write(buf)
	return buf, err
}

// frameWaits tells whether the next frame can be had without reading from the socket.
func frameWaits(r *bufio.Reader) bool {
	if r.Buffered() < wire.HeaderLen {
		return false
	}
	header, err := r.Peek(wire.HeaderLen)
	return err == nil && r.Buffered() >= wire.FrameLen(wire.Length(header))
}
