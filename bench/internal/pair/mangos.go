package pair

import (
	"go.nanomsg.org/mangos/v3"
	"go.nanomsg.org/mangos/v3/protocol/xpair"
	_ "go.nanomsg.org/mangos/v3/transport/tcp" // registers tcp://
)

var mangosPair = Library{Serve: serveMangos, Dial: dialMangos}

func serveMangos() (string, error) {
	s, err := xpair.NewSocket()
	if err != nil {
		return "", err
	}
	l, err := s.NewListener("tcp://127.0.0.1:0", nil)
	if err != nil {
		return "", err
	}
	if err := l.Listen(); err != nil {
		return "", err
	}
	go func() {
		for {
			m, err := s.RecvMsg()
			if err != nil || s.SendMsg(m) != nil {
				return
			}
		}
	}()
	return l.Address(), nil
}

type mangosPeer struct{ mangos.Socket }

func dialMangos(addr string, got func([]byte)) (Peer, error) {
	s, err := xpair.NewSocket()
	if err != nil {
		return nil, err
	}
	if err := s.Dial(addr); err != nil {
		return nil, err
	}
	go func() {
		for {
			m, err := s.RecvMsg()
			if err != nil {
				return
			}
			got(m.Body)
			m.Free()
		}
	}()
	return mangosPeer{s}, nil
}

// Send takes the message from mangos' own pool, to which its transport gives it back.
func (p mangosPeer) Send(message []byte) error {
	m := mangos.NewMessage(len(message))
	m.Body = append(m.Body, message...)
	return p.SendMsg(m)
}
