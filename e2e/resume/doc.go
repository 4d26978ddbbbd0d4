// Package resume is a test: sessions with Resume go on over real sockets while everything between
// their ends, and the ends themselves, is cut, stopped, killed or unplugged. What one end has sent the
// other has received, once and in order; where a process has lost what it knew, Event.Lost bounds what
// is missing.
//
//	go test ./e2e/resume                                              some of everything
//	go test -v ./e2e/resume -cuts 2000 -kills 200 -clients 20000      as much as is wanted, with figures
//
// The test's binary is also the processes that are killed: TestMain plays the part that the environment
// names.
package resume
