package session

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A registry that is closed twice tells both callers when it is empty.
func TestRegistryClosedTwice(t *testing.T) {
	var r Registry
	s := r.Add(func(id uint64) *Session { s, _ := newFake(t, false, nil); s.id = id; return s })
	_, first := r.Close()
	_, second := r.Close()
	require.Nil(t, r.Add(nil))
	r.Remove(s)
	<-first
	<-second
}
