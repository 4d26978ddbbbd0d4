package gnetdoor

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/panjf2000/gnet/v2"

	"github.com/netasync/netasync"
)

var errIncomplete = errors.New("incomplete packet")

//doc:begin codec-before

// lengthCodec frames packets by two bytes of length.
type lengthCodec struct{}

func (*lengthCodec) Decode(c gnet.Conn) ([]byte, error) {
	//doc:skip
	header, _ := c.Peek(2)
	if len(header) < 2 {
		return nil, errIncomplete
	}
	n := int(binary.BigEndian.Uint16(header))
	if c.InboundBuffered() < 2+n {
		return nil, errIncomplete
	}
	packet, err := c.Next(2 + n)
	return packet[2:], err
	//doc:resume
}

func (*lengthCodec) Encode(packet []byte) []byte {
	//doc:skip
	frame := make([]byte, 2, 2+len(packet))
	binary.BigEndian.PutUint16(frame, uint16(len(packet)))
	return append(frame, packet...)
	//doc:resume
}

type echo struct{ gnet.BuiltinEventEngine }

func (*echo) OnOpen(c gnet.Conn) ([]byte, gnet.Action) {
	c.SetContext(new(lengthCodec))
	return nil, gnet.None
}

func (*echo) OnTraffic(c gnet.Conn) gnet.Action {
	codec := c.Context().(*lengthCodec)
	var frames [][]byte
	for {
		packet, err := codec.Decode(c)
		if errors.Is(err, errIncomplete) {
			break
		}
		if err != nil {
			return gnet.Close
		}
		frames = append(frames, codec.Encode(packet))
	}
	if _, err := c.Writev(frames); err != nil {
		return gnet.Close
	}
	return gnet.None
}

//doc:end

//doc:begin codec-after
func newEcho() (*netasync.Handler, error) {
	return netasync.NewHandler(netasync.ListenOptions{
		Codec:  netasync.Codec{Width: 2},
		Inline: true, // OnEvent is called on the event loop
		OnEvent: func(s *netasync.Session, ev netasync.Event) {
			if ev.Kind == netasync.Message {
				_ = s.Send(context.Background(), ev.Payload) // to its own session it does not wait there
			}
		},
	})
}

//doc:end
