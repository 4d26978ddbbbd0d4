package broadcast

import (
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/session"
)

// A message is framed once for each format among the members, not for each member.
func TestFormatsAmongTheMembers(t *testing.T) {
	const size = 1 << 20
	formats := []codec.Format{{}, {Varint: true}, {Width: 8}}
	g, payload := NewGroup(Options{}), make([]byte, size)
	for i := range 30 {
		l := newLink(true) // it copies nothing
		s := connected(t, l, func(c *session.Config) { c.Format = formats[i%len(formats)] })
		defer s.CloseNow(nil)
		g.Add(s)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	require.Equal(t, Result{Queued: 30}, g.Send(payload))
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(len(formats)+1)*size)
}

// Each member gets the message on its own wire.
func TestMembersOnDifferentWires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, links := NewGroup(Options{}), make(map[*link]codec.Format)
		for _, f := range []codec.Format{{}, {Varint: true}, {Width: 8}, {LittleEndian: true}, {}} {
			l := newLink(false)
			links[l] = f
			s := connected(t, l, func(c *session.Config) { c.Format = f })
			defer s.CloseNow(nil)
			g.Add(s)
		}
		small, large := "m", strings.Repeat("m", shareLimitPlus)
		g.Send([]byte(small))
		g.Send([]byte(large))
		synctest.Wait()
		for l, f := range links {
			require.Equal(t, []string{small, large}, l.messagesIn(t, f))
		}
	})
}
