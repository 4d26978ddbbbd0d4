package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/codec"
	"github.com/netasync/netasync/internal/resume"
)

// Those that say nothing, or do not end what they say, hold up others for no longer than a glance: they
// are taken for plain peers then, as after helloWait otherwise.
func TestSilentPeersHoldUpNobody(t *testing.T) {
	whole := hello(codec.Format{}, resume.Hello{Version: resume.Version, Nonce: resume.Nonce{9}})
	for what, c := range map[string]struct {
		says    []byte
		only    bool
		refused refusal
		session bool
	}{
		"silent":          {session: true},
		"within a header": {says: whole[:2], session: true},
		"within its name": {says: whole[:helloBegins], session: true},
		"within a Hello":  {says: whole[:len(whole)-1], refused: byMaxPending},
		"ResumeOnly":      {only: true, refused: byResume},
	} {
		t.Run(what, func(t *testing.T) {
			const pending = 3
			onStage(t, ListenOptions{Resume: true, ResumeOnly: c.only, MaxPending: pending}, func(t *stage) {
				for range pending {
					t.says(t.connect(), c.says)
				}
				late := t.client(1)
				entered := make(chan time.Duration)
				start := time.Now()
				go func() {
					late.enters()
					entered <- time.Since(start)
				}()
				require.Equal(t, glance, <-entered)
				synctest.Wait()
				sessions := 1
				if c.session {
					sessions += pending
				} else {
					require.EqualValues(t, pending, t.e.host.figures.refused[c.refused].Load(), "%+v", t.e.Stats().RefusedBy)
				}
				require.Equal(t, sessions, t.e.Stats().Sessions)
			})
		})
	}
}

// Who says a byte in each glance is no better off: reading ends at the first look, not when nothing comes.
func TestDribblersHoldUpNobody(t *testing.T) {
	onStage(t, ListenOptions{Resume: true, MaxPending: 1}, func(t *stage) {
		p := t.connect()
		go func() {
			for _, b := range hello(codec.Format{}, t.client(9).Hello) {
				if _, err := p.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(glance / 2)
			}
		}()
		start := time.Now()
		t.client(1).enters()
		require.Equal(t, glance, time.Since(start))
	})
}
