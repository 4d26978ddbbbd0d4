package session

import "time"

const (
	// leastBeat is the shortest period that is taken over from a peer. A flood of heartbeats gets no
	// more of ours.
	leastBeat = 100 * time.Millisecond
	// leastGap is the shortest silence that counts: less may be what was held up on its way.
	leastGap = leastBeat / 2
)

// rhythm finds out how often the peer sends heartbeats. It sends one when it was silent for its
// period, so the silence before a heartbeat is as long as that. Instants are those of the session's
// clock. It is the reader's own.
type rhythm struct {
	read    int64 // when bytes were last read, or reading went on after a pause of ours
	blurred bool  // they may have come earlier than that
	first   int64 // the silence before the last heartbeat, 0 if there was none,
	second  int64 // and before the one before that
}

// heard notes that bytes were read, and returns how long the peer had been silent: 0 if that is not
// known, or not worth to be counted.
func (r *rhythm) heard(now int64) (gap int64) {
	gap = now - r.read
	r.read = now
	if gap < int64(leastGap) {
		return 0
	}
	if r.blurred { // these were waited for
		r.blurred = false
		return 0
	}
	return gap
}

// paused notes that reading goes on. If it had stopped for long, what is read next may have come at
// any time.
func (r *rhythm) paused(now int64) {
	if now-r.read >= int64(leastGap) {
		r.read, r.blurred = now, true
	}
}

// beat takes the silence before a further heartbeat, and returns how often the peer sends them: the
// middle one of the last three, as one of them may be off by what happened on the way. Of two it is
// the shorter, which is the safer.
func (r *rhythm) beat(gap int64) int64 {
	a, b := r.first, r.second
	r.first, r.second = gap, a
	switch {
	case a == 0:
		return gap
	case b == 0:
		return min(gap, a)
	}
	return max(min(gap, a), min(max(gap, a), b))
}

// adopted returns the period of our own heartbeats, given the peer's: ours, unless the peer's is
// clearly shorter. A peer gives us up after two periods of its own at the earliest, so that one that
// is about as short as ours needs nothing. That also keeps two ends from hurrying each other on.
func adopted(ours, peers int64) int64 {
	if peers >= ours-ours/4 {
		return ours
	}
	return min(ours, max(peers, int64(leastBeat)))
}

// listen notes that p was read, and takes over the period of a peer that sends heartbeats more often
// than we do: it wants to hear us as often. What an accepted session says first is no heartbeat in
// this sense. The cost is one comparison for each read.
func (c *Conn) listen(p []byte, now int64) {
	gap := c.rhythm.heard(now)
	if gap == 0 || c.s.dialed() && !c.heard.Load() || c.dec.Heartbeats(p) == 0 {
		return
	}
	if c.acks != nil { // an acknowledgement of something new is no heartbeat
		c.acks.gap = gap
		return
	}
	c.adopt(gap, now)
}

// adopt takes over the period of the peer's heartbeats, of which one has come after a silence.
func (c *Conn) adopt(gap, now int64) {
	was := c.beat.Load()
	beat := adopted(int64(c.s.cfg.HeartbeatPeriod), c.rhythm.beat(gap))
	c.beat.Store(beat)
	if beat < was {
		wait := c.lastWrite.Load() + beat - now
		c.ticker.Sooner(time.Now().Add(time.Duration(wait)))
	}
}
