package engine

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/internal/testkit"
)

// A reader of TLS has a buffer for one record, and a read never brings more than that.
func TestReadsOfTLSAreRecords(t *testing.T) {
	a := testkit.NewAuthority()
	client, server := net.Pipe()
	t.Cleanup(func() { _, _ = client.Close(), server.Close() })
	out := tls.Client(client, &tls.Config{RootCAs: a.Pool(), ServerName: "server"})
	in := tls.Server(server, &tls.Config{Certificates: []tls.Certificate{a.Issue("server", x509.ExtKeyUsageServerAuth, "server")}})
	require.Len(t, *buffersFor(in).Get().(*[]byte), recordBytes)
	require.Len(t, *buffersFor(server).Get().(*[]byte), readBytes)

	const sent = 1 << 20
	go func() { _, _ = out.Write(make([]byte, sent)) }()
	most, buf := 0, make([]byte, readBytes)
	for got := 0; got < sent; {
		n, err := in.Read(buf)
		require.NoError(t, err)
		most, got = max(most, n), got+n
	}
	require.Equal(t, recordBytes, most)
}
