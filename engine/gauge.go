package engine

import (
	"net"
	"net/netip"
	"sync"
)

// gauge counts what is open, up to a limit; 0 is none.
type gauge struct {
	limit int
	mu    sync.Mutex // guards n; a leaf
	n     int
}

// enter counts one more. It reports false at the limit.
func (g *gauge) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.limit > 0 && g.n >= g.limit {
		return false
	}
	g.n++
	return true
}

// exit counts one less.
func (g *gauge) exit() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.n--
}

// full reports whether there is no room at the moment.
func (g *gauge) full() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.limit > 0 && g.n >= g.limit
}

// addrGauge is a gauge for each address, of those that have anything open.
type addrGauge struct {
	limit int
	mu    sync.Mutex         // guards n; a leaf
	n     map[netip.Addr]int // without zeros
}

// enter counts one more for an address. It reports false at the limit.
func (g *addrGauge) enter(a netip.Addr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n[a] >= g.limit {
		return false
	}
	if g.n == nil {
		g.n = make(map[netip.Addr]int)
	}
	g.n[a]++
	return true
}

// exit counts one less for an address.
func (g *addrGauge) exit(a netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n[a]--; g.n[a] == 0 {
		delete(g.n, a)
	}
}

// addrOf returns the IP address of a TCP peer, the same for IPv4 however it is written. Others have
// none.
func addrOf(remote net.Addr) netip.Addr {
	if t, ok := remote.(*net.TCPAddr); ok {
		return t.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}
