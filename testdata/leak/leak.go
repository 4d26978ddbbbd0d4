// Package leak is where package session finds the leak check until its tests use testkit.
package leak

import (
	"testing"

	"github.com/netasync/netasync/internal/testkit"
)

// Main is testkit's.
func Main(m *testing.M) { testkit.Main(m) }
