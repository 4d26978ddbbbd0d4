package session

import "crypto/tls"

// Identity returns who the peer is, as the option Identify found: the subject of a certificate, a
// token's owner, the user of a process. It is empty without that option, and for dialed sessions.
func (s *Session) Identity() string { return s.identity }

// TLS returns the state of TLS on the current connection, or on the last one. It reports false if
// that does not speak TLS, and before the first. The certificates in it are not to be changed.
func (s *Session) TLS() (tls.ConnectionState, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tls == nil {
		return tls.ConnectionState{}, false
	}
	return *s.tls, true
}
