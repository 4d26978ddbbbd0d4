package netasynctest

import "testing"

func TestMain(m *testing.M) { NoLeaks(m) }
