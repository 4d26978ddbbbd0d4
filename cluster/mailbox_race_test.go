//go:build race

package cluster

// mailNames is how many names there are where there are many.
const mailNames = 200
