package resume

import (
	"testing"
	"time"

	"github.com/netasync/netasync/internal/testkit"
)

// The cable between two hosts is pulled, for longer than HeartbeatTimeout or for less, and plugged in
// again, while both talk: nobody is told anything.
func TestCableIsPulled(t *testing.T) {
	cable := testkit.LayCable(t)
	tr := &trial{}
	server := startBy(t, part{Play: "server", Addr: cable.Other + ":0"}, tr.add, cable.Command)
	var slowest time.Duration
	c := talkTo(t, tr, server.Addr, func() {
		for i := range max(4, *kills/4) {
			got := tr.client.got.Load()
			testkit.Eventually(t, func() bool { return tr.client.got.Load() > got+100 }, "%d: the server talks", i)
			cable.Pull(t)
			time.Sleep(time.Duration(1+i%4) * timeout * 3 / 4)
			cable.Plug(t)
			back, got := time.Now(), tr.client.got.Load()
			testkit.Eventually(t, func() bool { return tr.client.got.Load() > got+100 }, "%d: it talks again", i)
			slowest = max(slowest, time.Since(back))
		}
	})
	tr.reconcile(t, c, server)
	t.Logf("%d messages; the client came back %d times, after %v at most", tr.client.got.Load()+tr.client.said.Load(), tr.client.back.Load(), slowest)
}
