// Package chanclosed gives a hint whether a channel was closed that still holds elements. The
// language has no way to ask: a receive tells of the close only after the last element.
//
// # What it relies on
//
// A channel is a pointer to an object of the heap, as in package weakchan, and the object's first
// bytes have a word that is 0 in an open channel and 1 in a closed one. Every release of Go has
// made channels so (hchan.closed in runtime/chan.go), but nothing promises it. So the place of the
// word is not written down here. It is found when it is first needed, by comparing the words of
// channels that are made for the purpose: open and closed ones, of several capacities, empty, full
// and in between. If exactly one word is 0 in all open and 1 in all closed ones, that is it. If
// none is, or more than one, there is no hint in this process, and Closed always says no.
//
// # Why reading it is sound
//
//   - The words that are compared lie within the object, which is larger on every platform, so
//     they may be read. A Hint refers to the object, and keeps it.
//   - The word is read by an atomic load. The runtime writes it under the channel's lock, by a
//     plain store of an aligned word: a load sees the old value or the new one.
//   - The race detector does not see the runtime's own accesses, and takes nothing here for a race.
//     Where it notes what is done to channels, it does so at another word of the object.
//
// # What it does not promise
//
// A hint may come late, and it may be wrong, in a runtime in which the word means something else
// though it passed the comparison. So no caller may rely on it: it says when to try what finds out
// for sure, which is to receive all that the channel holds. A caller that finds a hint to be wrong
// calls Distrust, and the process has no hints any more.
package chanclosed
