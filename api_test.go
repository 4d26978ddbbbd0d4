package netasync_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// What users do not need, they do not see: the names are those of the documentation.
func TestMethodsOfTheFace(t *testing.T) {
	for _, c := range []struct {
		of    any
		names string
	}{
		{&netasync.Session{}, "Close CloseNow Context Done Events Flush ID Identity LocalAddr LogValue Messages Name RTT ReadChan Recv RemoteAddr RetryNow Send SendBatch SetValue State Stats TLS TrySend Value WaitConnected WriteChan"},
		{&netasync.Engine{}, "Connect Health History Listen Serve Sessions Shutdown Stats Totals"},
		{&netasync.Listener{}, "AcceptChan Addr Close ServeConn Sessions"},
		{&netasync.Handler{}, "AcceptChan Health History OnBoot OnClose OnOpen OnShutdown OnTick OnTraffic Sessions Shutdown Stats Totals"},
		{&netasync.History{}, "Closed Events"},
	} {
		var names []string
		for i := range reflect.TypeOf(c.of).NumMethod() {
			names = append(names, reflect.TypeOf(c.of).Method(i).Name)
		}
		require.Equal(t, c.names, strings.Join(names, " "))
	}
}
