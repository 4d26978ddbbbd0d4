package testkit

import (
	"encoding/binary"
	"io"
)

// Frames returns messages as they stand on the default wire, one after the other; an empty one is a
// heartbeat.
func Frames[M ~string | ~[]byte](messages ...M) (wire []byte) {
	for _, m := range messages {
		wire = binary.BigEndian.AppendUint32(wire, uint32(len(m)))
		wire = append(wire, m...)
	}
	return wire
}

// ReadFrame reads one frame off the default wire, and returns its payload.
func ReadFrame(r io.Reader) ([]byte, error) {
	var header [4]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	payload := make([]byte, binary.BigEndian.Uint32(header[:]))
	if _, err := io.ReadFull(r, payload); err == io.EOF {
		return nil, io.ErrUnexpectedEOF
	} else if err != nil {
		return nil, err
	}
	return payload, nil
}

// ReadMessage reads the next frame that is no heartbeat.
func ReadMessage(r io.Reader) ([]byte, error) {
	for {
		if payload, err := ReadFrame(r); err != nil || len(payload) > 0 {
			return payload, err
		}
	}
}
