package engine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/session"
)

// The defaults are promises: these are the figures that are documented.
func TestDefaults(t *testing.T) {
	o, err := EngineOptions{}.resolve()
	require.NoError(t, err)
	require.Equal(t, 256<<20, o.AssemblyBudget)

	h := &host{assembly: session.NewAssembly(o.AssemblyBudget, func(f func()) { go f() })}
	accepted, err := (&ListenOptions{}).resolve(h)
	require.NoError(t, err)
	require.Equal(t, 5*time.Second, accepted.handshakeTimeout)
	require.Equal(t, 128, accepted.maxPending)
	require.Equal(t, 128, accepted.acceptBuffer)
	require.Zero(t, accepted.maxSessions)
	require.Zero(t, accepted.maxPerAddr)
	require.True(t, accepted.Greets)
	dialed, err := (&ConnectOptions{}).resolve(h)
	require.NoError(t, err)
	require.False(t, dialed.AwaitPeer)
	for _, p := range []*plan{accepted, dialed} {
		require.Equal(t, session.Buffer{Cap: 128, Bytes: 1 << 20}, p.ReadBuffer)
		require.Equal(t, session.Buffer{Cap: 128, Bytes: 4 << 20}, p.WriteBuffer)
		require.Equal(t, 5*time.Second, p.HeartbeatPeriod)
		require.Equal(t, 20*time.Second, p.HeartbeatTimeout)
		require.Equal(t, 5*time.Second, p.Linger)
		require.Equal(t, 4<<20, p.MaxPayload)
		require.Equal(t, 240, p.MinRate)
		require.Zero(t, p.WriteTimeout)
		require.Same(t, h.assembly, p.Assembly)
	}
}

// A Handler bounds what its sessions' unfinished messages take, too.
func TestHandlerHasAnAssembly(t *testing.T) {
	if !loopsSupported {
		t.Skip("no Handler here")
	}
	h, err := NewHandler(ListenOptions{})
	require.NoError(t, err)
	require.NotNil(t, h.plan.Assembly)
}
