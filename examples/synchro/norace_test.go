//go:build !race

package main

// each is how often each mirror counts.
const each = 1000
