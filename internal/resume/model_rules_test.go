package resume

import "fmt"

// rules are what the two ends go by. Each field that is set is a mistake that somebody could make, or
// has made, save for the first three.
type rules struct {
	judge      func(h *Hello, k *Known, byToken bool, identity string, secure bool) (Verdict, Code)
	resendLost bool // an option: what may be lost is sent again in a new session
	waits      bool // a session that has said Bye outlives its connection

	dataBeforeWelcome bool // the dialer sends messages behind a Hello that goes on
	claimsBlindly     bool // Claim does not compare numbers: Judge has
	beginsLater       bool // between Begin and the table another Hello may be judged
	goneBegins        bool // what Claim finds over is not looked for again: a new session begins
	acksRead          bool // a message is acknowledged when it was read, and not yet counted
	countsOn          bool // the end of a connection does not stop the count of what was read
	countsLate        bool // a message is counted after its callback, not before
	forgetsWritten    bool // what is written is not kept
	sendsOnce         bool // what is kept is not sent again
	sameNumber        bool // the number of a connection does not grow
	believesReceived  bool // a session that was found by its nonce takes the count of an earlier one
	losesNewer        bool // the end of a connection takes the session from a newer one
	resendsUnasked    bool // what may be lost is sent again in a new session, without resendLost
	hidesLost         bool // what is in doubt is not told
	triesAgain        bool // after a Welcome that cannot be, the next Hello is the same again
	keepsNonce        bool // a dialer without a token goes on with its nonce and number
	expiresClaimed    bool // the window ends between Claim and Attach
	expiresUnheard    bool // a session whose dialer may not have the token has a window of almost nothing
	closesInNew       bool // a dialer that closes does not say that a new session is of no use
}

// model is the rules, and the first fault that was found.
type model struct {
	rules rules
	// doubtful says that the ends may come to disagree, because one is made to forget. Nothing is
	// promised then but that they come to a working connection again.
	doubtful bool
	fault    string
	saw      [situations]bool
}

// Situations that are rare, of which the scenarios must have seen each.
const (
	sawTakeOver        = iota // a connection is taken from the session for a newer one
	sawTakeOverInTurn         // while a message was read and not yet counted
	sawLostWelcome            // the session is found by its nonce
	sawOldHello               // Judge refuses it
	sawOldClaim               // Claim refuses it
	sawGone                   // the session ended between Judge and Claim
	sawLateAttach             // it was taken, or ended, between Claim and Attach
	sawUnwanted               // a dialer that closes is told that its session is over
	sawImpossibleHello        // its count cannot be
	sawImpossibleWelcome
	sawImpossibleAck
	sawByeOfDialer
	sawByeOfListener
	sawLost       // messages are told to be in doubt
	sawSentAgain  // and sent again
	sawHalfClosed // a session is over while its dialer still has the connection
	situations
)

func (m *model) fail(format string, args ...any) {
	if m.fault == "" && !m.doubtful {
		m.fault = fmt.Sprintf(format, args...)
	}
}

// doubt notes that the ends have found that they disagree.
func (m *model) doubt(format string, args ...any) { m.fail("disagreement: "+format, args...) }

func (m *model) badAck(who string, count uint8, t *stream) {
	m.saw[sawImpossibleAck] = true
	m.doubt("%s acknowledges %d of %d to %d", who, count, t.acked, t.sent)
}
