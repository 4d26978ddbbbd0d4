//go:build race

package session

// poolLoss is how many allocations a read may cost under the race detector,
// where sync.Pool throws away at random a part of what it is given.
const poolLoss = 4
