// Package attack is a test: what hostile peers, missing descriptors and vanishing networks cost those
// that are honest. What is attacked is a process of its own, and so is the attacker; a server that
// one writes by hand around package net is attacked beside ours, in the same run.
//
//	go test ./e2e/attack                                  each attack for a moment
//	go test -v ./e2e/attack -attack 2s -tries 5           with figures, beside package net
//
// The test's binary is all those processes: TestMain plays the role that the environment names.
package attack
