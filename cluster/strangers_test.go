package cluster

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The oldest of too many strangers gives way; one that has shown that it is of a node stays.
func TestStrangersGiveWay(t *testing.T) {
	var s strangers
	var ends []net.Conn
	for range maxStrangers {
		far, near := net.Pipe()
		t.Cleanup(func() { _, _ = far.Close(), near.Close() })
		ends = append(ends, far)
		s.add(near)
		if len(ends) == 1 {
			s.remove(near)
		}
	}
	require.NoError(t, ends[1].SetReadDeadline(time.Now().Add(patience)))
	for range 2 {
		far, near := net.Pipe()
		t.Cleanup(func() { _, _ = far.Close(), near.Close() })
		s.add(near)
	}
	_, err := ends[1].Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, ends[0].SetReadDeadline(time.Now()))
	_, err = ends[0].Read(make([]byte, 1))
	require.NotErrorIs(t, err, io.EOF, "it is of a node")
	require.Len(t, s.all, maxStrangers)
}
