package testkit

import "testing"

func TestMain(m *testing.M) { Main(m) }

// linger is a goroutine of ours until the channel is closed.
func linger(over <-chan struct{}) { <-over }
