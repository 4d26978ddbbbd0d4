package cluster

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// opened returns a link that comes in, with so many streams to names that nobody has.
func opened(t testing.TB, n *Node, count int) *inLink {
	t.Helper()
	in := n.links.newInLink(linkID{1, n.id, 1})
	for i := range count {
		f := frame{kind: frameOpen, stream: uint64(i + 1), session: 7, name: fmt.Sprint("name ", i)}
		require.NoError(t, in.receive(f.append(nil)))
	}
	return in
}

// A link ends while the last words of its streams are said.
func TestLinkEndsWhileStreamsEnd(t *testing.T) {
	n := start(t, Options{})
	in := opened(t, n.Node, 2*maxStreams)
	in.mu.Lock()
	var all []*outStream
	for _, o := range in.streams {
		all = append(all, o)
	}
	in.mu.Unlock()
	var ending sync.WaitGroup
	ending.Go(func() {
		for _, o := range all { // as speak does
			in.forget(o)
		}
	})
	in.end(errLinkLost)
	ending.Wait()
	in.work.Wait()
	require.Empty(t, in.streams)
}

// What comes in for a stream when the link is about to end breaks no protocol.
func TestDataWhenALinkEnds(t *testing.T) {
	n := start(t, Options{})
	_, accepted := claimed(t, []*place{n}, 0, "ada")
	in := n.links.newInLink(linkID{1, n.id, 1})
	f := frame{kind: frameOpen, stream: 1, session: accepted.ID(), name: "ada"}
	require.NoError(t, in.receive(f.append(nil)))
	in.cancel() // as end does, and the node's end
	f = frame{kind: frameData, stream: 1, messages: slicesOf(1)}
	require.NoError(t, in.receive(f.append(nil)))
	in.end(errLinkLost)
	in.work.Wait()
}
