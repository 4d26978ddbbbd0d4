package netasync_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

// With TLS a server has a certificate, which a client checks: as in crypto/tls, whose options these
// are. A real server reads its own by tls.LoadX509KeyPair.
func ExampleListenOptions_tls() {
	authority := testkit.NewAuthority()
	certificate := authority.Issue("server", x509.ExtKeyUsageServerAuth, "127.0.0.1")

	engine, _ := netasync.NewEngine(netasync.EngineOptions{})
	listener, _ := engine.Listen("127.0.0.1:0", netasync.ListenOptions{
		TLS:     &tls.Config{Certificates: []tls.Certificate{certificate}},
		OnEvent: answer,
	})

	s, _ := engine.Connect(listener.Addr().String(), netasync.ConnectOptions{
		TLS: &tls.Config{RootCAs: authority.Pool()}, // none for a certificate that the system knows
	})
	_ = s.Send(context.Background(), []byte("hello"))
	for payload := range s.Messages(context.Background()) {
		fmt.Printf("%s\n", payload)
		break
	}
	state, _ := s.TLS()
	fmt.Println(state.PeerCertificates[0].Subject)
	_ = engine.Shutdown(context.Background())
	// Output:
	// you said hello
	// CN=server
}

// Where clients have certificates, too, Identify says who each of them is.
func ExampleListenOptions_identify() {
	authority := testkit.NewAuthority()
	certificate := authority.Issue("server", x509.ExtKeyUsageServerAuth, "127.0.0.1")

	engine, _ := netasync.NewEngine(netasync.EngineOptions{})
	listener, _ := engine.Listen("127.0.0.1:0", netasync.ListenOptions{
		TLS: &tls.Config{
			Certificates: []tls.Certificate{certificate},
			ClientAuth:   tls.RequireAndVerifyClientCert,
			ClientCAs:    authority.Pool(),
		},
		Identify: func(_ context.Context, conn net.Conn) (string, error) {
			client := conn.(*tls.Conn).ConnectionState().PeerCertificates[0] // verified by now
			return client.Subject.CommonName, nil                            // or an error, which refuses it
		},
		OnEvent: func(s *netasync.Session, ev netasync.Event) {
			if ev.Kind == netasync.Message {
				_ = s.Send(context.Background(), []byte("good day, "+s.Identity()))
			}
		},
	})

	s, _ := engine.Connect(listener.Addr().String(), netasync.ConnectOptions{
		TLS: &tls.Config{
			RootCAs:      authority.Pool(),
			Certificates: []tls.Certificate{authority.Issue("ann", x509.ExtKeyUsageClientAuth)},
		},
	})
	_ = s.Send(context.Background(), []byte("hello"))
	for payload := range s.Messages(context.Background()) {
		fmt.Printf("%s\n", payload)
		break
	}
	_ = engine.Shutdown(context.Background())
	// Output: good day, ann
}
