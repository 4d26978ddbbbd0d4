package session

// byteBound bounds what a channel holds, in bytes, for the only one that sends to it: at most
// limit, or one message. A channel does not tell which messages were taken, so all that it holds
// count as large as the largest since it was empty.
type byteBound struct {
	limit   int
	share   int // of the limit for each slot: so small ones always fit
	largest int
}

// newByteBound returns the bound for a channel of that capacity.
func newByteBound(limit, capacity int) byteBound {
	return byteBound{limit: limit, share: limit / max(capacity, 1)}
}

// fits reports whether a channel that holds so many messages may hold a further one.
func (b *byteBound) fits(held, capacity, payload int) bool {
	if held == 0 {
		b.largest = payload
		return true
	}
	largest := max(payload, b.largest)
	if payload > 0 && largest > b.share && largest > b.limit/min(held+1, capacity) {
		return false
	}
	b.largest = largest
	return true
}
