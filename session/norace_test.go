//go:build !race

package session

const poolLoss = 0
