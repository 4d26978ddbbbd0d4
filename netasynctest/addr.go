package netasynctest

import (
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// Addr is an address in a Network. Addresses may be compared by ==.
type Addr struct {
	Net  string // tcp or unix
	Host string // the name of an engine
	Port string // a port, or the path of a unix socket
}

// Network returns tcp or unix, as addresses of the system's do.
func (a Addr) Network() string { return a.Net }

// String returns host:port, or the path.
func (a Addr) String() string {
	if a.Net == "unix" {
		return a.Port
	}
	return net.JoinHostPort(a.Host, a.Port)
}

// locate returns what an address means on a host. No host, localhost and addresses of the loopback
// mean the host itself, and so does a unix socket.
func locate(host, network, address string) (Addr, error) {
	if network == "unix" {
		return Addr{network, host, address}, nil
	}
	h, port, err := net.SplitHostPort(address)
	if err != nil {
		return Addr{}, err
	}
	if ip := net.ParseIP(h); h == "" || h == "localhost" || ip.IsLoopback() || ip.IsUnspecified() {
		h = host
	}
	return Addr{"tcp", h, port}, nil
}

// firstPort is the first that is chosen for a client, or for a listener on port 0.
const firstPort = 49152

// freePort returns a port that was not used yet. The caller holds mu.
func (n *Network) freePort() string {
	n.ports++
	return strconv.Itoa(firstPort + n.ports - 1)
}

// bind returns the address that a listener gets. The caller holds mu.
func (n *Network) bind(host, network, address string) (Addr, error) {
	a, err := locate(host, network, address)
	if err != nil {
		return a, err
	}
	if a.Host != host {
		return a, fmt.Errorf("%q is another host: %w", a.Host, syscall.EADDRNOTAVAIL)
	}
	if a.Net == "tcp" && a.Port == "0" {
		a.Port = n.freePort()
	}
	if n.listeners[a] != nil {
		return a, syscall.EADDRINUSE
	}
	return a, nil
}
