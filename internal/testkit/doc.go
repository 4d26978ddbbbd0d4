// Package testkit is what the tests of several packages share: a check for goroutines that are left
// behind, a heap meter, frames as they stand on the wire, messages that say which they are, ways to
// wait, plain TCP peers, another host behind a cable, and certificates.
//
// It imports nothing of the library but package leak, so that the tests of every package may use it, and so that the
// wire it speaks is written down a second time: a mistake in package codec is not repeated here.
package testkit
