package cluster

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"

	"github.com/netasync/netasync"
)

const (
	prefaceMagic = "netasync-relay-1" // of a connection that is passed on
	linkMagic    = "netasync-links-1" // of a link's; as long
	maxPreface   = 16 << 10           // bytes
	understood   = 'k'
)

// preface is what comes before the peer's own bytes.
type preface struct {
	door uint16
	netasync.ConnInfo
	hello []byte

	link *linkID // of a link; then there is nothing else
}

func (p *preface) append(b []byte) []byte {
	if p.link != nil {
		return p.link.append(b)
	}
	secure := byte(0)
	if p.Secure {
		secure = 1
	}
	body := append(binary.BigEndian.AppendUint16(nil, p.door), secure)
	body = appendText(appendText(body, p.Remote.Network()), p.Remote.String())
	body = append(appendText(body, p.Identity), p.hello...)
	return append(binary.BigEndian.AppendUint32(append(b, prefaceMagic...), uint32(len(body))), body...)
}

func readPreface(conn io.Reader) (p preface, err error) {
	var head [len(prefaceMagic) + 4]byte
	if _, err = io.ReadFull(conn, head[:]); err != nil {
		return p, err
	}
	size := binary.BigEndian.Uint32(head[len(prefaceMagic):])
	magic := string(head[:len(prefaceMagic)])
	if magic != prefaceMagic && magic != linkMagic || size > maxPreface {
		return p, errMalformed
	}
	body := make([]byte, size)
	if _, err = io.ReadFull(conn, body); err != nil {
		return p, err
	}
	if magic == linkMagic {
		p.link, err = parseLinkID(body)
		return p, err
	}
	r := reader{p: body}
	high, low, secure := r.byte(), r.byte(), r.byte()
	p.door, p.Secure = uint16(high)<<8|uint16(low), secure == 1
	network, text := r.text(maxText), r.text(maxText)
	p.Remote = addrOf(network, text)
	p.Identity, p.hello = r.text(maxPreface), r.p
	if r.bad || secure > 1 {
		return preface{}, errMalformed
	}
	return p, nil
}

// addrOf returns an address that was said in words.
func addrOf(network, text string) net.Addr {
	if network == "tcp" {
		if a, err := netip.ParseAddrPort(text); err == nil {
			return net.TCPAddrFromAddrPort(a)
		}
	}
	if network == "unix" {
		return &net.UnixAddr{Net: network, Name: text}
	}
	return spoken{network, text}
}

// spoken is an address of another kind.
type spoken struct{ network, text string }

func (s spoken) Network() string { return s.network }
func (s spoken) String() string  { return s.text }
