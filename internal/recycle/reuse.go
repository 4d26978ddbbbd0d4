//go:build !race && !msan && !asan

package recycle

const reuse = true
