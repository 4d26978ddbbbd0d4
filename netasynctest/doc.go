// Package netasynctest
package netasynctest
