// Package weakchan serves channels whose other party may keep nothing but the channel, without
// keeping the channel from being collected. [Drain] receives from one, [Deliver] sends to one.
//
// # Why
//
// A library that hands out a channel owes something to it even after all the rest is over: a send
// must not hang for ever, and a receiver is to get what was left, and then the close. The user may
// have dropped all but the channel, or the channel, too. A goroutine that waits on the channel
// would keep it, and itself, for ever in the second case: the runtime tells nobody that a channel
// has no other party any more. So nothing here waits on a channel. It is looked at now and then,
// through a weak pointer that becomes nil when the other party is gone.
//
// The pauses between two looks grow by a quarter each time nothing has moved, up to a second. So
// the delay is in proportion to the idle time before it, and what nobody uses costs little: 2,000
// kept channels take 3 to 4 % of a CPU in a process that is idle otherwise, nearly all of it for
// waking the process 2,000 times a second, and 0.2 to 0.4 % if they are looked at together. A
// goroutine for each that looks every 10 ms takes 17 to 21 % (BenchmarkKept, two CPUs).
//
// # Why timers and no goroutine
//
// A channel that was made inside a bubble of testing/synctest may be touched by goroutines of that
// bubble only, so one goroutine for all channels of a process cannot serve it. A goroutine for each
// channel that sleeps between the looks keeps its bubble from ending: it never exits, and "time
// stops advancing when the root goroutine of the bubble exits", so that synctest reports a
// deadlock. A timer that is pending does not keep a bubble from ending, and the function of a timer
// that was set in a bubble runs in it. Afterwards the timer never fires, and is garbage with all it
// refers to.
//
// So call Drain and Deliver in the bubble of the channel, which a cleanup or finalizer is not: the
// runtime runs those outside of every bubble.
//
// # Why the weak reference is sound
//
// The value of a channel is a pointer to an object of the heap. The language does not promise it;
// package reflect does in part ([reflect.Value.UnsafePointer] of a channel is its pointer), and
// every release of Go has made channels so (makechan in runtime/chan.go). This package takes that
// pointer as one to the object's first byte, makes a weak pointer of it, and turns what
// [weak.Pointer.Value] returns into a channel again:
//
//   - Value returns the pointer that it was made of or nil, so what comes back is the same channel.
//   - While anything refers to the channel, Value is not nil. A party that is blocked in a send or
//     a receive refers to it from its stack.
//   - What Value has returned keeps the channel as long as it is in use, as any pointer to a byte
//     of an object keeps the object.
//   - The object has more than the 16 bytes below which the allocator lets objects share a slot, so
//     that the weak pointer becomes nil as soon as the channel is collected. No finalizer is set on
//     it that could bring it back.
//
// If a release of Go makes channels otherwise, TestAChannelIsAPointer fails, or
// TestDroppedChannelsAreCollected does.
//
// # Who keeps what
//
// Between two looks the channel's timer is all there is. It refers to the weak pointer, to late or
// to the rest, and to nothing that refers to the channel. Only the frame of one function holds
// the channel, and is gone before the timer is set again. When a look finds the channel collected,
// it sets no timer, and then all is free. A look during a collection may keep the channel until the
// next collection, since Value marks what it returns.
//
// # Limits
//
//   - In a bubble time goes on as long as a served channel is kept: a test that hangs there runs
//     into its timeout, and synctest does not report a deadlock. A day of fake time takes 86,400
//     looks.
//   - The profile of leaked goroutines (Go 1.26, with GOEXPERIMENT=goroutineleakprofile) takes a
//     goroutine for leaked that is blocked on a channel to which only this package and blocked
//     goroutines refer, since a weak pointer does not count. If a look then wakes that goroutine,
//     the runtime ends the program: "bad g->status in ready". So no such profile may be taken while
//     there are senders or receivers of dropped sessions.
package weakchan
