package engine

import (
	"fmt"
	"net"
	"slices"
	"strings"
)

const unixPrefix = "unix:"

// splitAddr splits an address of the public API: host:port, or unix:path.
func splitAddr(addr string) (network, address string, err error) {
	if path, ok := strings.CutPrefix(addr, unixPrefix); ok {
		if path == "" {
			return "", "", fmt.Errorf("netasync: address %q has no path", addr)
		}
		return "unix", path, nil
	}
	if _, port, err := net.SplitHostPort(addr); err != nil {
		return "", "", fmt.Errorf("netasync: address %q: %w", addr, err)
	} else if port == "" {
		return "", "", fmt.Errorf("netasync: address %q has no port", addr)
	}
	return "tcp", addr, nil
}

// cloneAddr copies an address where that is needed: gnet changes the unix addresses of what it
// serves, and recycles the memory of IPv6 zones.
func cloneAddr(addr net.Addr) net.Addr {
	switch a := addr.(type) {
	case *net.TCPAddr:
		if a.Zone == "" {
			return a
		}
		return &net.TCPAddr{IP: slices.Clone(a.IP), Port: a.Port, Zone: strings.Clone(a.Zone)}
	case *net.UnixAddr:
		return &net.UnixAddr{Name: strings.Clone(a.Name), Net: a.Net}
	}
	return addr
}
