// Package code checks the pages: README.md, those in docs, and those of the examples.
//
// Each block of Go on them is a region of a file below this directory, where it is compiled, and run by a
// test of its own directory. A comment in front of the block names the region:
//
//	<!-- code: page/file.go#region -->
//
// What a region is, package region says. go test . -write writes the regions into the pages.
package code
