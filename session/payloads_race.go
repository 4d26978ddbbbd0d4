//go:build race

package session

// The race detector would take the next use of memory that came back for a race
// with the last one: it does not know that the collector was between them.
const comesBack = false
