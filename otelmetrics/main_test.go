package otelmetrics_test

import (
	"testing"

	"github.com/netasync/netasync/netasynctest"
)

func TestMain(m *testing.M) { netasynctest.NoLeaks(m) }
