package engine

import (
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
)

const (
	unixPrefix = "unix:"
	maxPort    = math.MaxUint16
)

// splitAddr splits an address of the public API: host:port, or unix:path.
func splitAddr(addr string) (network, address string, err error) {
	if path, ok := strings.CutPrefix(addr, unixPrefix); ok {
		if path == "" {
			return "", "", fmt.Errorf("netasync: address %q has no path", addr)
		}
		return "unix", path, nil
	}
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", "", fmt.Errorf("netasync: address %q: %w", addr, err)
	}
	if port == "" {
		return "", "", fmt.Errorf("netasync: address %q has no port", addr)
	}
	if n, err := strconv.Atoi(port); errors.Is(err, strconv.ErrRange) || n < 0 || n > maxPort {
		return "", "", fmt.Errorf("netasync: address %q has port %s, want 0 to %d", addr, port, maxPort)
	}
	return "tcp", addr, nil // a port that is no number is the name of a service
}

// serverName is what TLS expects the server at an address to prove to be, unless the configuration
// says so: the host. A unix address has none, nor has one that means this machine by no host.
func serverName(config *tls.Config, network, address string) (string, error) {
	if config.ServerName != "" {
		return config.ServerName, nil
	}
	host := ""
	if network == "tcp" {
		host, _, _ = net.SplitHostPort(address)
	}
	if host == "" && !config.InsecureSkipVerify {
		return "", fmt.Errorf("netasync: TLS.ServerName is empty, and address %q has no host to take it from", address)
	}
	return host, nil
}

// noAddr is the address of a connection that has none.
type noAddr struct{}

func (noAddr) Network() string { return "unknown" }
func (noAddr) String() string  { return "" }

// cloneAddr copies an address where that is needed: gnet changes the unix addresses of what it
// serves, and recycles the memory of IPv6 zones.
func cloneAddr(addr net.Addr) net.Addr {
	switch a := addr.(type) {
	case nil: // a connection of the user's own making
		return noAddr{}
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
