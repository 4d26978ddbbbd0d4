package interop

import "testing"

// Callers are the languages whose peers make and serve calls.
func Callers() []Language {
	var callers []Language
	for _, language := range Languages {
		if language.call != "" {
			callers = append(callers, language)
		}
	}
	return callers
}

// StartCall runs the peer that makes and serves calls, which listens on or connects to a port, and
// returns when it listens or is connected.
func (l Language) StartCall(t *testing.T, role, port string) *Peer {
	t.Helper()
	return l.run(t, l.call, role, port)
}
