package session

import "slices"

// kept are the messages of a session with Resume that were taken to be written, and that the peer is
// not known to have. Session.mu guards it. A message has its number from here on, and no policy drops
// it any more. They are copies of what is written, except for large payloads, so that a writer and
// an acknowledgement do not get in each other's way.
type kept struct {
	cfg *Config

	rows     []*frames // in order
	messages int       // in all rows
	bytes    int       // of their payload
	words    int       // of the messages, the first: those of Hello, which count nowhere else
	next     int       // rows[next:] are to be written again, before what is pending
	again    int       // messages in them
	acked    uint64    // numbers up to this one are with the peer

	control control // what goes between the messages

	live  bool // there is a connection, or there was until rewind
	begun int  // of the messages, the first: those that a connection that is over may have brought
}

// rowBytes is the size from which on a row takes no further messages; keptSizes bounds it, too.
const rowBytes = 32 << 10

// unacked returns how many messages of the user's are kept.
func (k *kept) unacked() int {
	if k == nil {
		return 0
	}
	return k.messages - k.words
}

// full reports whether no further message may be taken to be written.
func (k *kept) full() bool { return k.cfg.Unacked.full(k.messages, k.bytes) }

// fits reports whether all of some messages may be.
func (k *kept) fits(fs *frames) bool {
	return k.messages+fs.messages <= k.cfg.Unacked.Cap && k.bytes+fs.bytes <= k.cfg.Unacked.Bytes
}

// add keeps messages that are about to be written.
func (k *kept) add(fs *frames) {
	last := len(k.rows) - 1
	if last < 0 || len(k.rows[last].buf) >= rowBytes || len(k.rows[last].sizes) >= keptSizes || k.rows[last].words {
		k.rows = append(k.rows, rowsPool.Get().(*frames))
		last++
	}
	k.rows[last].append(fs)
	k.messages += fs.messages
	k.bytes += fs.bytes
	k.next = len(k.rows)
}

// addWords keeps the first words of a connection, before all others, in a row of their own.
func (k *kept) addWords(fs *frames) {
	row := fs.clone()
	row.words = true
	k.rows = slices.Insert(k.rows, 0, row)
	k.messages += fs.messages
	k.bytes += fs.bytes
	k.words += fs.messages
	k.next++
}

// repeat returns the next row that is to be written again.
func (k *kept) repeat() *frames {
	row := k.rows[k.next]
	k.next++
	k.again -= row.messages
	return row.clone()
}

// drop takes out the first n messages, and returns how many of them were the user's. reuse says that
// nothing is being written.
func (k *kept) drop(n int, reuse bool) (users int) {
	words := min(n, k.words)
	users = n - words
	k.words -= words
	k.begun = max(0, k.begun-n)
	k.messages -= n
	for n > 0 {
		row := k.rows[0]
		m := min(n, row.messages)
		k.bytes -= row.dropMessages(m, reuse)
		n -= m
		if k.next == 0 {
			k.again -= m
		}
		if row.messages > 0 {
			break
		}
		freeRow(row)
		k.rows[0] = nil
		k.rows = k.rows[1:]
		k.next = max(0, k.next-1)
	}
	if len(k.rows) == 0 {
		k.rows = nil
	}
	return users
}

// rewind ends a connection, given what it has left unwritten: everything is to be written again.
func (k *kept) rewind(unwritten ...*frames) {
	if !k.live {
		return
	}
	k.live = false
	k.begun = k.messages - k.again
	for _, fs := range unwritten {
		k.begun -= fs.untouched()
	}
	k.begun = max(0, k.begun) // less if the peer acknowledges what it does not have
	k.next, k.again = 0, k.messages
	for _, row := range k.rows { // it may last
		row.shrink()
	}
}

// carryOn begins a connection of a peer that has received so many messages. It returns how many of the
// user's that acknowledges.
func (k *kept) carryOn(received uint64) (users int) {
	users = k.drop(int(received-k.acked), false)
	k.acked, k.begun = received, 0
	return users
}

// startOver begins the numbers anew, for a peer that knows nothing of the session. What may be with
// it is lost, unless it is to be sent again. It returns how many of the user's messages may be with it.
func (k *kept) startOver(resend bool) (doubtful int) {
	doubtful = max(0, k.begun-k.words)
	if resend {
		k.drop(k.words, false)
	} else {
		k.drop(max(k.begun, k.words), false)
	}
	k.acked, k.begun = 0, 0
	return doubtful
}
