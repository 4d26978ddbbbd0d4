//go:build linux && race

package attack

// raceDetector reports whether this is a build with the race detector, which takes several times the
// memory and the time.
const raceDetector = true
