//go:build race

package main

// each is a fifth of what it is without the race detector, which takes several times as long.
const each = 200
