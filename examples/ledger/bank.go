package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/netasync/netasync"
)

// A bank begins with so many accounts, and so much in each.
const (
	accounts = 10
	money    = 100_000
)

// transfer is a message: money for an account of the other bank. Sent is all that this bank has sent so
// far, with this transfer: it tells what is missing. Amount is 0 when it says nothing but that.
type transfer struct {
	Account, Amount int
	Sent            tally
}

// tally is a number of transfers, and what they are worth.
type tally struct{ Transfers, Money int }

func (t *tally) add(amount int) { t.Transfers++; t.Money += amount }

// bank is one end of the link.
type bank struct {
	session atomic.Pointer[netasync.Session] // by which transfers leave; it may have closed

	mu       sync.Mutex // guards all below
	accounts [accounts]int
	sent     tally        // to the other bank
	heard    tally        // what the other bank had sent, says its last message
	arrived  tally        // what has arrived of that
	numbers  map[int]bool // of those that have arrived
	twice    int          // that came again
	closed   bool         // no money leaves any more
}

func newBank() *bank {
	b := &bank{numbers: make(map[int]bool)}
	for i := range b.accounts {
		b.accounts[i] = money
	}
	return b
}

// book books the transfers that come by a session, until that has closed, and makes it the one by which
// others leave.
func (b *bank) book(s *netasync.Session) {
	b.session.Store(s)
	for payload, err := range s.Messages(context.Background()) {
		if err == nil { // else the session has closed, as without Resume it does by each cut
			b.receive(payload)
		}
	}
}

// send sends a transfer at each tick. One that Send does not take has not been made.
func (b *bank) send(working context.Context, pace time.Duration) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-working.Done():
			return
		}
		s := b.session.Load()
		if s == nil {
			continue
		}
		from, t := b.withdraw()
		text, err := json.Marshal(t)
		if err != nil || s.Send(working, text) != nil {
			b.putBack(from, t.Amount)
		}
	}
}

// withdraw takes some money from an account, for one of the other bank.
func (b *bank) withdraw() (from int, t transfer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	from, t.Account = rand.IntN(accounts), rand.IntN(accounts)
	if !b.closed {
		t.Amount = min(1+rand.IntN(100), b.accounts[from])
	}
	if t.Amount > 0 {
		b.accounts[from] -= t.Amount
		b.sent.add(t.Amount)
	}
	t.Sent = b.sent
	return from, t
}

// putBack undoes withdraw.
func (b *bank) putBack(from, amount int) {
	if amount == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.accounts[from] += amount
	b.sent.Transfers--
	b.sent.Money -= amount
}

// receive books a transfer.
func (b *bank) receive(payload []byte) {
	var t transfer
	if err := json.Unmarshal(payload, &t); err != nil {
		panic(fmt.Sprintf("a message that nobody has sent: %q", payload))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if t.Sent.Transfers > b.heard.Transfers {
		b.heard = t.Sent
	}
	if t.Amount == 0 {
		return
	}
	b.accounts[t.Account] += t.Amount
	if b.numbers[t.Sent.Transfers] {
		b.twice++
		return
	}
	b.numbers[t.Sent.Transfers] = true
	b.arrived.add(t.Amount)
}

// close ends the transfers. The bank goes on to say what it has sent.
func (b *bank) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
}

// sheet is where the money of both banks is.
type sheet struct {
	before, accounts, onTheWay int
	arrived, lost, twice       int  // transfers
	settled                    bool // nothing is on its way
}

// balance looks at both banks in the same instant.
func balance(banks [2]*bank) sheet {
	for _, b := range banks {
		b.mu.Lock()
		defer b.mu.Unlock()
	}
	c := sheet{before: len(banks) * accounts * money, settled: true}
	for i, b := range banks {
		for _, money := range b.accounts {
			c.accounts += money
		}
		other := banks[1-i]
		c.onTheWay += other.sent.Money - b.heard.Money
		c.arrived += b.arrived.Transfers
		c.lost += b.heard.Transfers - b.arrived.Transfers
		c.twice += b.twice
		c.settled = c.settled && b.heard == other.sent
	}
	return c
}
