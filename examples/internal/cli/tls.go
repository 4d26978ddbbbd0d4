package cli

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// ServerTLS returns the configuration of a server, or nil if all are empty: then there is no TLS. The
// arguments are PEM files, as the flags -tls-cert, -tls-key and -tls-client-ca name them.
func ServerTLS(cert, key, clientCA string) (*tls.Config, error) {
	if cert == "" && key == "" && clientCA == "" {
		return nil, nil
	}
	if cert == "" || key == "" {
		return nil, errors.New("flags -tls-cert, -tls-key and -tls-client-ca: TLS needs a certificate and its key")
	}
	pair, err := load(cert, key)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if clientCA == "" {
		return config, nil
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	config.ClientCAs, err = authorities("-tls-client-ca", clientCA)
	return config, err
}

// ClientTLS returns the configuration of a client, or nil if all are empty: then there is no TLS. Without
// ca the system's authorities are trusted. The arguments are those of -tls-ca, -tls-cert, -tls-key and
// -tls-server-name.
func ClientTLS(ca, cert, key, serverName string) (config *tls.Config, err error) {
	if ca == "" && cert == "" && key == "" && serverName == "" {
		return nil, nil
	}
	config = &tls.Config{ServerName: serverName, MinVersion: tls.VersionTLS12}
	if ca != "" {
		if config.RootCAs, err = authorities("-tls-ca", ca); err != nil {
			return nil, err
		}
	}
	if cert != "" || key != "" {
		pair, err := load(cert, key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

func load(cert, key string) (tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return pair, fmt.Errorf("flags -tls-cert and -tls-key: %w", err)
	}
	return pair, nil
}

func authorities(flag, file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("flag %s: %w", flag, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("flag %s: no certificate in %s", flag, file)
	}
	return pool, nil
}
