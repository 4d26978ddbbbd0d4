package e2e_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// Other framings work end to end, up to the largest message their header can announce.
func TestCodecs(t *testing.T) {
	for name, test := range map[string]struct {
		codec   netasync.Codec
		wire    string // of the message "hi"
		largest int
	}{
		"default":                    {netasync.Codec{}, "\x00\x00\x00\x02hi", 1 << 20},
		"varint":                     {netasync.Codec{Varint: true}, "\x02hi", 1 << 20},
		"two bytes, little endian":   {netasync.Codec{Width: 2, LittleEndian: true}, "\x02\x00hi", 1<<16 - 1},
		"one byte":                   {netasync.Codec{Width: 1}, "\x02hi", 1<<8 - 1},
		"two bytes, includes header": {netasync.Codec{Width: 2, IncludesHeader: true}, "\x00\x04hi", 1<<16 - 3},
		"eight bytes":                {netasync.Codec{Width: 8}, "\x00\x00\x00\x00\x00\x00\x00\x02hi", 1 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			ln := testkit.Listen(t)
			options := netasync.ConnectOptions{Codec: test.codec, MaxPayload: 1 << 20, HeartbeatPeriod: time.Minute}
			c := connect(t, newEngine(t), ln.Addr(), options)
			conn := testkit.Accept(t, ln)
			send(t, c, "hi")
			wire := make([]byte, len(test.wire))
			_, err := io.ReadFull(conn, wire)
			require.NoError(t, err)
			require.Equal(t, test.wire, string(wire))
			testkit.Write(t, conn, wire)
			expect(t, c, netasync.Connected)
			expectMessages(t, c, "hi")

			a, b := pair(t, netasync.ListenOptions{Codec: test.codec, MaxPayload: 1 << 20}, options)
			largest := strings.Repeat("x", test.largest)
			send(t, a, largest)
			expectMessages(t, b, largest)
			require.ErrorIs(t, a.Send(testkit.Context(t), []byte(largest+"x")), netasync.ErrFrameTooLarge)
		})
	}
}
