// Package e2e holds the black-box tests of the library: they use what users can, real sockets
// included, and prove what the documentation promises. There is nothing in it for a program.
package e2e
