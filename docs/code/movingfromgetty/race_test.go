//go:build race

package movingfromgetty

const raceEnabled = true
