//go:build !race

package session

const (
	raceEnabled = false
	poolLoss    = 0
)
