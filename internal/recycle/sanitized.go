//go:build race || msan || asan

package recycle

// The package comment says why, under "With a sanitizer".
const reuse = false
