//go:build !race

package cluster

// mailEach is how many messages there are for each of many names.
const mailEach = 10
