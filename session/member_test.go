package session

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// forgetting is a host that notes that a session was forgotten.
type forgetting struct {
	fakeHost
	forgot chan bool
}

func (h *forgetting) Forget(Driver) { h.forgot <- true }

// slowGroup is a group that takes its time when a member has ended.
type slowGroup struct{ host *forgetting }

func (g slowGroup) Ended(*Member) {
	time.Sleep(time.Minute)
	if len(g.host.forgot) > 0 {
		panic("the host has forgotten the session before its groups have")
	}
}

// A shutdown waits until its sessions are forgotten, and promises that none is a member behind that. So
// groups come first, also where somebody else tells a logger of the end.
func TestSessionIsForgottenBehindItsGroups(t *testing.T) {
	for name, log := range map[string]*slog.Logger{"no logger": nil, "a logger": slog.New(slog.DiscardHandler)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &forgetting{forgot: make(chan bool, 2)}
				s, _ := newFake(t, false, func(c *Config) { c.Host, c.Log = h, log })
				require.True(t, Drive(s).Join(new(Member), slowGroup{h}, false))
				require.NotNil(t, Drive(s).Attach(newSink(), 0))
				s.CloseNow(nil)
				synctest.Wait()
				require.Len(t, h.forgot, 1, "once")
			})
		})
	}
}
