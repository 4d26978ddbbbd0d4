//go:build race

package session

const raceEnabled = true

// poolLoss is how many allocations a read may cost under the race detector, where sync.Pool throws
// away at random a part of what it is given; other tests may be ending meanwhile.
const poolLoss = 8
