//go:build !race

package session

const comesBack = true
