package engine

import (
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// An address is the same however it is written; a unix socket's peer has none.
func TestAddrOf(t *testing.T) {
	one := netip.MustParseAddr("192.0.2.1")
	require.Equal(t, one, addrOf(&net.TCPAddr{IP: net.IP{192, 0, 2, 1}, Port: 1}))
	require.Equal(t, one, addrOf(&net.TCPAddr{IP: net.ParseIP("::ffff:192.0.2.1"), Port: 2}))
	require.Equal(t, netip.MustParseAddr("fe80::1"), addrOf(&net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0"}))
	require.False(t, addrOf(&net.UnixAddr{Name: "/s", Net: "unix"}).IsValid())
	require.False(t, addrOf(nil).IsValid())
}

// Nothing is kept of addresses that have nothing open.
func TestAddrGauge(t *testing.T) {
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	g := addrGauge{limit: 2}
	require.True(t, g.enter(a))
	require.True(t, g.enter(a))
	require.False(t, g.enter(a))
	require.True(t, g.enter(b))
	g.exit(a)
	require.True(t, g.enter(a))
	g.exit(a)
	g.exit(a)
	g.exit(b)
	require.Empty(t, g.n)
}
