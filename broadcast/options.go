package broadcast

import (
	"errors"
	"fmt"

	"github.com/netasync/netasync/session"
)

// ErrSlow is why a member was ended by Close: the Err of its Closed event. It works with errors.Is.
var ErrSlow = errors.New("netasync: a member of a broadcast had no room for a message")

// Slow says what becomes of a message for a member whose WriteBuffer has no room.
type Slow uint8

const (
	// Drop does not queue the message for that member. It is counted in Result, and OnSlow tells.
	Drop Slow = iota
	// Close ends the member by CloseNow, with ErrSlow as the cause.
	Close
	// Latest queues the message in the place of all messages of the same group that still wait for that
	// member, and goes on so until none of them waits: it is for state, of which the last counts, not for
	// events. What is being written, or was begun, is not replaced, nor what a session with Resume has
	// taken to be sent. So that the last message always arrives, there may be two more for each group than
	// WriteBuffer has room for. Where there is no room even so, what waits from groups with Latest that the
	// session has left is dropped, too. All that is counts as Dropped in the session's Stats.
	Latest
)

// Options configure a [Group], or all rooms of a [Hub]. The zero value works.
type Options struct {
	// Slow says what becomes of a message for a member that has no room for it. The default is Drop.
	Slow Slow
	// OnSlow, if it is not nil, is called when a member had no room, whatever Slow says, and then not again
	// until a message has found room, with Latest until nothing was to be replaced. It is called by the
	// goroutine that sends, before Send returns and after the message is queued for all others, without
	// any lock: it may use the group and the session, but where Send is called on an event loop it must
	// not block.
	OnSlow func(*session.Session)
}

// validate refuses what no option can be.
func (o *Options) validate() {
	if o.Slow > Latest {
		panic(fmt.Sprintf("netasync: broadcast.Options.Slow is %d, want 0 to %d", o.Slow, Latest))
	}
}

// Result says what became of a message. Its sum is the number of members there were, but for the one
// that was excepted.
type Result struct {
	// Queued is for how many members the message was queued, in a buffer that had room. That is not to
	// have sent it: see Session.Flush.
	Queued int
	// Slow is how many members had no room: with Drop they do not get the message, with Close they are
	// ended, and with Latest they get it in the place of earlier ones.
	Slow int
	// Closed is how many members are closing, or have closed and are about to leave.
	Closed int
	// Refused is how many members cannot be sent the message, as Session.Send would have said: it is empty,
	// over their MaxPayload, or they have WhileDown: Refuse and no connection.
	Refused int
}
