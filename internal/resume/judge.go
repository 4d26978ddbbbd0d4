package resume

import (
	"crypto/subtle"
	"errors"
)

// Known is what a listener knows of a session that it found for a Hello.
type Known struct {
	Nonce    Nonce
	Number   uint64 // of the last connection that was let in
	Heard    bool   // a frame has come from the dialer since a Welcome: it has the token
	Identity string
	Secure   bool // the token was given over TLS
}

// Verdict is what a listener does about a Hello.
type Verdict uint8

// The verdicts.
const (
	Begin     Verdict = iota // a new session
	Carry                    // the known session goes on
	StartOver                // the known session ends, and a new one begins: one of the two ends is not what it was
	Deny                     // refuse, by the code that comes with it
)

// String returns the verdict's name.
func (v Verdict) String() string {
	return [...]string{"begin", "carry", "start over", "deny"}[v]
}

// Judge decides about a Hello, given the session that its token or its nonce belongs to, nil if
// there is none, and who the dialer is. byToken says that it was found by the token, which its
// dialer has then. Else it is found by the nonce, for all of its life.
//
// A session that is carried on by its nonce has a dialer that never got a Welcome of it: it has
// received nothing, whatever the Hello says of an earlier session. Once the dialer is known to have
// the token, the nonce tells only what is stale: the dialer's first Hello may have been on its way
// for longer than its second, and must not begin a session that nobody waits for.
func Judge(h *Hello, k *Known, byToken bool, identity string, secure bool) (Verdict, Code) {
	fresh, code := Begin, Code(0)
	if h.Only {
		fresh, code = Deny, RefuseUnknown
	}
	switch {
	case k == nil:
		return fresh, code
	case k.Identity != identity || k.Secure != secure:
		return Deny, RefuseForbidden
	case subtle.ConstantTimeCompare(k.Nonce[:], h.Nonce[:]) == 0:
		return Deny, RefuseForbidden
	case h.Number <= k.Number:
		return Deny, RefuseStale
	case !byToken && k.Heard:
		return fresh, code
	case h.Only && (!byToken || !h.Continue):
		return Deny, RefuseUnknown
	case byToken && !h.Continue:
		return StartOver, 0
	}
	return Carry, 0
}

// Plausible reports whether a peer can have received so many messages, given how many it is known
// to have and how many were sent to it, wholly or partly. Where it cannot, one of the two ends is
// not what it was, and the session starts over.
func Plausible(received, acked, sent uint64) bool { return acked <= received && received <= sent }

// Why a session cannot be claimed for a connection.
var (
	ErrStale       = errors.New("netasync: a connection with a larger number came before")
	ErrGone        = errors.New("netasync: the session is over")
	ErrImplausible = errors.New("netasync: the peer cannot have received what it says")
)
