package weakchan

import (
	"testing"

	"github.com/netasync/netasync/testdata/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }
