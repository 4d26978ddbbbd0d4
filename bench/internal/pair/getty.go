package pair

import (
	"fmt"
	"time"

	getty "github.com/apache/dubbo-getty"

	"github.com/netasync/netasync/bench/internal/rival"
)

var gettyPair = Library{Serve: Served(rival.Getty), Dial: dialGetty}

type gettyPeer struct {
	client  getty.Client
	session getty.Session
}

func dialGetty(addr string, got func([]byte)) (Peer, error) {
	rival.QuietGetty()
	opened := make(chan getty.Session, 1)
	session := rival.GettySession(func(_ getty.Session, payload []byte) { got(payload) }, opened)
	client := getty.NewTCPClient(getty.WithServerAddress(addr), getty.WithConnectionNumber(1))
	go client.RunEventLoop(session) // it sleeps for a while once it has connected
	select {
	case s := <-opened:
		return gettyPeer{client, s}, nil
	case <-time.After(5 * time.Second):
		client.Close()
		return nil, fmt.Errorf("getty: no session")
	}
}

func (p gettyPeer) Send(message []byte) error {
	_, _, err := p.session.WritePkg(message, 0)
	return err
}

func (p gettyPeer) Close() error {
	p.client.Close()
	return nil
}
