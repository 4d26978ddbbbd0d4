package session

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/resume"
	"github.com/netasync/netasync/internal/testkit"
)

// kinds of sessions, by how what they receive is consumed.
var kinds = map[string]func(*Config){
	"queued": nil,
	"inline": func(c *Config) { c.Inline, c.OnEvent = true, func(*Session, Event) {} },
}

// What is no control frame ends the connection, and not the session, which loses nothing.
func TestBadControlFrames(t *testing.T) {
	hello := resume.Hello{Version: resume.Version, Token: []byte("token")}
	welcome := resume.Welcome{Version: resume.Version, Token: []byte("token")}
	bad := map[string][]byte{
		"unknown kind":           controlFrame([]byte("x")),
		"an empty body":          testkit.Frames("", ""),
		"a truncated ack":        controlFrame(resume.AppendAck(nil, 2)[:8]),
		"a truncated goodbye":    controlFrame((&resume.Bye{Sent: 1}).Append(nil)[:9]),
		"513 bytes":              controlFrame(append([]byte("A"), make([]byte, 512)...)),
		"a header of 2 GiB":      append(testkit.Frames(""), 0x7f, 0xff, 0xff, 0xff),
		"an ack of the future":   ackOf(4),
		"an ack of all":          ackOf(1<<64 - 1),
		"an ack that goes back":  ackOf(1),
		"a goodbye after more":   byeOf(2),
		"a goodbye after fewer":  byeOf(0),
		"a hello":                controlFrame(hello.Append(nil)),
		"a welcome":              controlFrame(welcome.Append(nil)),
		"a refusal":              controlFrame((&resume.Refuse{Code: 1}).Append(nil)),
		"two empty, and a frame": testkit.Frames("", "", "m"),
	}
	for name, wire := range bad {
		for kind, change := range kinds {
			for _, dialed := range []bool{true, false} {
				for _, piece := range []int{1, 5, len(wire)} {
					t.Run(fmt.Sprint(name, ", ", kind, ", dialed ", dialed, ", by ", piece), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							k := connected(t, dialed, change)
							k.sends("1", "2", "3")
							k.hears()
							require.NoError(t, k.says(ackOf(2), frame("m")))
							var err error
							for p := wire; len(p) > 0 && err == nil; p = p[min(piece, len(p)):] {
								err = k.says(p[:min(piece, len(p))])
							}
							require.ErrorIs(t, err, ErrBadAck)
							synctest.Wait()
							require.Equal(t, StateDisconnected, k.s.State())
							require.ErrorIs(t, k.s.Stats().LastError, ErrBadAck)
							require.EqualValues(t, 1, k.connect(true, 2))
							require.Equal(t, []string{"3"}, k.hears())
							require.NoError(t, k.says(ackOf(3)))
							require.EqualValues(t, 3, accountsAddUp(t, k.s).Acked)
							k.s.CloseNow(nil)
						})
					})
				}
			}
		}
	}
}

// Control frames may come in pieces, among messages, and are no messages.
func TestControlFramesInPieces(t *testing.T) {
	var got []string
	note := func(_ *Session, ev Event) {
		if ev.Kind == Message {
			got = append(got, string(ev.Payload))
		}
	}
	wire := func() []byte {
		var w []byte
		for _, f := range [][]byte{frame("a"), ackOf(0), question(), frame("b"), frame("c"), ackOf(2), ackOf(2), frame("d"), ackOf(3), byeOf(4)} {
			w = append(w, f...)
		}
		return w
	}()
	for _, inline := range []bool{false, true} {
		for piece := 1; piece < 40; piece++ {
			synctest.Test(t, func(t *testing.T) {
				got = nil
				k := connected(t, true, func(c *Config) { c.Inline, c.OnEvent = inline, note })
				k.sends("1", "2", "3")
				k.hears()
				for p := wire; len(p) > 0; p = p[min(piece, len(p)):] {
					require.NoError(t, k.says(p[:min(piece, len(p))]))
				}
				require.Equal(t, "A 4", lastOf(k.hears()))
				require.EqualValues(t, 3, accountsAddUp(t, k.s).Acked)
				require.Equal(t, "a b c d", strings.Join(got, " "))
				k.s.CloseNow(nil)
			})
		}
	}
}

// A session whose ReadBuffer is full obeys what it reads all the same, until a message comes.
func TestControlFramesNeedNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := connected(t, true, func(c *Config) { c.ReadBuffer = Buffer{Cap: 1} })
		recv(t, k.s)
		k.sends("1", "2")
		k.hears()
		require.NoError(t, k.says(frame("m"), ackOf(1), question()))
		require.Equal(t, []string{"A 1"}, k.hears())
		wire := append(append(ackOf(2), frame("n")...), question()...)
		rest, leave, err := k.c.Feed(wire, false)
		require.NoError(t, err)
		require.True(t, leave)
		require.Len(t, rest, 5+9)
		require.Zero(t, accountsAddUp(t, k.s).Unacked)
		recv(t, k.s)
		require.NoError(t, k.says(rest))
		require.Equal(t, []string{"A 2"}, k.hears())
		k.end()
	})
}

// MaxPayload is about messages, before and after control frames.
func TestControlFramesAndMaxPayload(t *testing.T) {
	for kind, change := range kinds {
		t.Run(kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := connected(t, true, func(c *Config) {
					if change != nil {
						change(c)
					}
					c.MaxPayload = 1
				})
				k.sends("1")
				k.hears()
				later := controlFrame(append(resume.AppendAck(nil, 1), make([]byte, 503)...)) // of a later version
				require.NoError(t, k.says(frame("m"), ackOf(1), frame("m"), later, frame("m")))
				err := k.says(ackOf(1), frame("mm"))
				require.ErrorIs(t, err, ErrFrameTooLarge)
				require.NotErrorIs(t, err, ErrBadAck)
				require.EqualValues(t, 3, k.connect(true, 1))
				k.s.CloseNow(nil)
			})
		})
	}
}

// A stream that ends within a control frame is no clean end, and no goodbye.
func TestEndWithinAControlFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := connected(t, false, nil)
		recv(t, k.s)
		require.NoError(t, k.says(byeOf(0)[:9]))
		k.c.End(io.EOF)
		ev := recv(t, k.s)
		require.Equal(t, Disconnected, ev.Kind)
		k.connect(true, 0)
		require.Equal(t, StateConnected, k.s.State())
		k.end()
	})
}
