package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync"
	"github.com/netasync/netasync/examples/chat/internal/gateway"
	"github.com/netasync/netasync/examples/chat/internal/talk"
	"github.com/netasync/netasync/netasynctest"
)

// enter connects a member whose host has its name, and waits until it has joined.
func enter(t *testing.T, n *netasynctest.Network, room, name string, o netasync.ConnectOptions) *netasync.Session {
	t.Helper()
	o.Resume = true
	o.Hello = func(uint64) [][]byte { return [][]byte{talk.Encode(talk.Word{Room: room, Name: name, ID: "join"})} }
	s, err := n.Engine(name, netasync.EngineOptions{}).Connect("server:1", o)
	require.NoError(t, err)
	netasynctest.Expect(t, s, netasynctest.IsConnected)
	settle()
	return s
}

func tell(t *testing.T, s *netasync.Session, text string) {
	t.Helper()
	require.NoError(t, s.TrySend(talk.Encode(talk.Word{Text: text, ID: "id"})))
	settle()
}

// heard returns what a member has been told, in short.
func heard(t *testing.T, s *netasync.Session) (all []string) {
	t.Helper()
	for _, ev := range netasynctest.Drain(t, s) {
		if ev.Kind == netasync.Message {
			all = append(all, short(t, ev.Payload))
		} else {
			all = append(all, ev.Kind.String())
		}
	}
	return all
}

// short is news in short: "#1 Ada: hello", or "Ada joined [Ada, Bob (away)]".
func short(t *testing.T, payload []byte) string {
	t.Helper()
	var what talk.News
	require.NoError(t, json.Unmarshal(payload, &what))
	if what.Kind == "said" {
		return fmt.Sprintf("#%d %s: %s", what.N, what.Name, what.Text)
	}
	var names []string
	for _, p := range what.Members {
		if p.Away {
			p.Name += " (away)"
		}
		names = append(names, p.Name)
	}
	return fmt.Sprintf("%s %s [%s]", what.Name, what.Kind, strings.Join(names, ", "))
}

func TestRoomsTellWhoIsThere(t *testing.T) {
	bubble(t, func(t *testing.T, n *netasynctest.Network) {
		ada := enter(t, n, "go", "ada", netasync.ConnectOptions{})
		eve := enter(t, n, "other", "eve", netasync.ConnectOptions{})
		bob := enter(t, n, "go", "bob", netasync.ConnectOptions{})
		tell(t, bob, "hello")
		second := enter(t, n, "go", "bob", netasync.ConnectOptions{})
		tell(t, second, " me, too\n")
		_ = bob.Close()
		settle()
		tell(t, ada, "bye")
		require.Equal(t, []string{
			"ada joined [ada]", "bob joined [ada, bob]", "#1 bob: hello", "bob (2) joined [ada, bob, bob (2)]",
			"#2 bob (2): me, too", "bob left [ada, bob (2)]", "#3 ada: bye",
		}, heard(t, ada))
		require.Equal(t, []string{
			"bob (2) joined [ada, bob, bob (2)]", "#2 bob (2): me, too", "bob left [ada, bob (2)]", "#3 ada: bye",
		}, heard(t, second))
		require.Equal(t, []string{"eve joined [eve]"}, heard(t, eve))
	})
}

// The IDs that members give come back to all.
func TestNewsHaveTheIDOfTheWord(t *testing.T) {
	bubble(t, func(t *testing.T, n *netasynctest.Network) {
		ada := enter(t, n, "go", "ada", netasync.ConnectOptions{})
		tell(t, ada, "hello")
		events := netasynctest.Drain(t, ada)
		require.Len(t, events, 2)
		require.Contains(t, string(events[0].Payload), `"id":"join"`)
		require.Contains(t, string(events[1].Payload), `"id":"id"`)
	})
}

// A member without a connection is away, and misses nothing; what it says meanwhile comes once.
func TestCutMember(t *testing.T) {
	bubble(t, func(t *testing.T, n *netasynctest.Network) {
		ada := enter(t, n, "go", "ada", netasync.ConnectOptions{})
		bob := enter(t, n, "go", "bob", netasync.ConnectOptions{})
		for range 3 {
			n.Refuse("server", gateway.ErrCut)
			n.Link("server", "bob").Cut(nil)
			settle()
			tell(t, ada, "are you there?")
			tell(t, bob, "yes")
			time.Sleep(time.Minute) // of the bubble
			n.Refuse("server", nil)
			time.Sleep(6 * time.Second) // the longest wait of its back-off
		}
		outage := func(k int) []string {
			return []string{
				"bob away [ada, bob (away)]", fmt.Sprintf("#%d ada: are you there?", 2*k-1),
				"bob back [ada, bob]", fmt.Sprintf("#%d bob: yes", 2*k),
			}
		}
		want := append(append(append([]string{"bob joined [ada, bob]"}, outage(1)...), outage(2)...), outage(3)...)
		require.Equal(t, append([]string{"ada joined [ada]"}, want...), heard(t, ada))
		var got []string
		for _, what := range heard(t, bob) {
			if what != "disconnected" && what != "connected" {
				got = append(got, what)
			}
		}
		require.Equal(t, want, got)
	})
}

// A member that is gone for longer than a session waits has left.
func TestGoneMemberLeaves(t *testing.T) {
	bubble(t, func(t *testing.T, n *netasynctest.Network) {
		ada := enter(t, n, "go", "ada", netasync.ConnectOptions{})
		enter(t, n, "go", "bob", netasync.ConnectOptions{})
		n.Refuse("server", gateway.ErrCut)
		n.Link("server", "bob").Cut(nil)
		time.Sleep(3 * time.Minute)
		require.Equal(t, []string{
			"ada joined [ada]", "bob joined [ada, bob]", "bob away [ada, bob (away)]", "bob left [ada]",
		}, heard(t, ada))
	})
}

// A member that does not read is thrown out, as others need not wait for it, and comes anew.
func TestSlowMember(t *testing.T) {
	bubble(t, func(t *testing.T, n *netasynctest.Network) {
		ada := enter(t, n, "go", "ada", netasync.ConnectOptions{})
		slow := enter(t, n, "go", "slow", netasync.ConnectOptions{ReadBuffer: netasync.Fixed(1), Backoff: netasync.FixedDelay(time.Second)})
		require.Equal(t, []string{"ada joined [ada]", "slow joined [ada, slow]"}, heard(t, ada))
		text, said, began := strings.Repeat("x", talk.MaxText), 0, time.Now()
		for news := []string(nil); len(news) <= 1; said++ {
			require.Less(t, said, 20*backlog, "it is never thrown out")
			tell(t, ada, text)
			news = heard(t, ada)
			require.Equal(t, fmt.Sprintf("#%d ada: %s", said+1, text), news[0])
			if len(news) > 1 {
				require.Equal(t, "slow left [ada]", news[1])
			}
		}
		require.Greater(t, said, backlog)
		require.Less(t, time.Since(began), time.Minute)
		var got []string
		for slow.Stats().Epoch < 2 {
			got = append(got, heard(t, slow)...)
		}
		got = append(got, heard(t, slow)...)
		require.Equal(t, []string{"disconnected", "connected", "slow joined [ada, slow]"}, got[len(got)-3:])
	})
}

// Who does not keep to the rules is thrown out, and the room is told.
func TestBadWords(t *testing.T) {
	long := strings.Repeat("x", talk.MaxText+1)
	for name, bad := range map[string][]byte{
		"not JSON": []byte("hello"), "no text": talk.Encode(talk.Word{}), "a long text": talk.Encode(talk.Word{Text: long}),
		"a long ID": talk.Encode(talk.Word{Text: "x", ID: strings.Repeat("x", talk.MaxID+1)}),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *netasynctest.Network) {
				ada := enter(t, n, "go", "ada", netasync.ConnectOptions{})
				bob := enter(t, n, "go", "bob", netasync.ConnectOptions{MaxAttempts: 1})
				require.NoError(t, bob.TrySend(bad))
				settle()
				require.Equal(t, []string{"ada joined [ada]", "bob joined [ada, bob]", "bob left [ada]"}, heard(t, ada)[:3])
			})
		})
	}
	for name, join := range map[string]talk.Word{
		"no name": {Room: "go"}, "no room": {Name: "bob"},
		"a long name": {Room: "go", Name: long[:talk.MaxName+1]}, "a long room": {Room: long[:talk.MaxName+1], Name: "bob"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *netasynctest.Network) {
				s, err := n.Engine("bob", netasync.EngineOptions{}).Connect("server:1", netasync.ConnectOptions{Resume: true})
				require.NoError(t, err)
				require.NoError(t, s.TrySend(talk.Encode(join)))
				netasynctest.Expect(t, s, netasynctest.IsConnected, netasynctest.IsDisconnected(nil))
			})
		})
	}
}

// The list of a room's members, and the longest text, fit into a message, whatever they are written with.
func TestLongestNewsFits(t *testing.T) {
	r := room{members: make(map[*netasync.Session]*member)}
	long := strings.Repeat("<", talk.MaxName) // six bytes each in JSON
	for range maxMembers {
		r.members[new(netasync.Session)] = &member{talk.Person{Name: r.free(long), Away: true}, &r}
	}
	id := strings.Repeat("<", talk.MaxID)
	require.LessOrEqual(t, len(talk.Encode(talk.News{Kind: "joined", Name: long, ID: id, Members: r.people()})), talk.MaxPayload)
	require.LessOrEqual(t, len(talk.Encode(talk.News{Kind: "said", Name: long, ID: id, Text: strings.Repeat("<", talk.MaxText)})), talk.MaxPayload)
}
