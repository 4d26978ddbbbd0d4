package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/netasync/netasync/examples/chat/internal/gateway"
	"github.com/netasync/netasync/examples/chat/internal/talk"
	"github.com/netasync/netasync/netasynctest"
)

func TestTabsTalk(t *testing.T) {
	bubble(t, func(t *testing.T, n *netasynctest.Network) {
		s := newSite(t, n)
		ada, bob := s.join("lobby", "Ada"), s.join("lobby", "Bob <b>")
		one, two := ada.open(""), bob.open("")
		one.sees("connected 1 false", "Ada joined [Ada]", "Bob <b> joined [Ada, Bob <b>]")
		two.sees("connected 1 false", "Bob <b> joined [Ada, Bob <b>]")
		ada.say("<script>")
		bob.say("line\nand line")
		one.sees("#1 Ada: <script>", "#2 Bob <b>: line and line")
		two.sees("#1 Ada: <script>", "#2 Bob <b>: line and line")
		bob.do("leave") // the page is closed
		two.ends("closed")
		one.sees("Bob <b> left [Ada]")
	})
}

// Whatever is said while the connection is cut comes once and in order, to both ends.
func TestCutTab(t *testing.T) {
	bubble(t, func(t *testing.T, n *netasynctest.Network) {
		s := newSite(t, n)
		ada, bob := s.join("lobby", "Ada"), s.join("lobby", "Bob")
		one, two := ada.open(""), bob.open("")
		one.seen()
		two.seen()
		number := 0
		for epoch := 2; epoch < 12; epoch++ {
			ada.do("cut")
			time.Sleep(time.Minute) // of the bubble: it stays cut
			one.sees("disconnected " + gateway.ErrCut.Error())
			ada.say("one")
			bob.say("two")
			ada.say("three")
			two.sees("Ada away [Ada (away), Bob]", fmt.Sprintf("#%d Bob: two", number+1))
			one.sees()
			ada.do("mend")
			one.sees(fmt.Sprintf("connected %d true", epoch), "Ada away [Ada (away), Bob]",
				fmt.Sprintf("#%d Bob: two", number+1), "Ada back [Ada, Bob]",
				fmt.Sprintf("#%d Ada: one", number+2), fmt.Sprintf("#%d Ada: three", number+3))
			two.sees("Ada back [Ada, Bob]", fmt.Sprintf("#%d Ada: one", number+2), fmt.Sprintf("#%d Ada: three", number+3))
			number += 3
		}
	})
}

// What is more than may wait has to be said again, and is not forgotten.
func TestTabPushesBack(t *testing.T) {
	bubble(t, func(t *testing.T, n *netasynctest.Network) {
		s := newSite(t, n)
		ada := s.join("lobby", "Ada")
		one := ada.open("")
		ada.do("cut")
		one.seen()
		for k := range gateway.MaxWaiting {
			ada.say(fmt.Sprint(k + 1))
		}
		require.Equal(t, http.StatusServiceUnavailable, ada.sayAs(gateway.MaxWaiting+1, "more"))
		ada.do("mend")
		require.Equal(t, http.StatusOK, ada.sayAs(gateway.MaxWaiting+1, fmt.Sprint(gateway.MaxWaiting+1)))
		got, _ := one.seen()
		require.Equal(t, fmt.Sprintf("#%d Ada: %[1]d", gateway.MaxWaiting+1), got[len(got)-1])
	})
}

// A page that did not hear the answer says the same once more.
func TestWordThatComesTwice(t *testing.T) {
	bubble(t, func(t *testing.T, n *netasynctest.Network) {
		s := newSite(t, n)
		ada := s.join("lobby", "Ada")
		one := ada.open("")
		one.seen()
		for _, k := range []int{1, 1, 2, 1, 2, 3} {
			require.Equal(t, http.StatusOK, ada.sayAs(k, fmt.Sprint(k)))
		}
		one.sees("#1 Ada: 1", "#2 Ada: 2", "#3 Ada: 3")
	})
}

// A browser whose stream broke gets what came behind the last update that it had.
func TestStreamComesAgain(t *testing.T) {
	bubble(t, func(t *testing.T, n *netasynctest.Network) {
		s := newSite(t, n)
		ada, bob := s.join("lobby", "Ada"), s.join("lobby", "Bob")
		bob.open("")
		one := ada.open("")
		one.sees("connected 1 false", "Ada joined [Ada]", "Bob joined [Ada, Bob]")
		bob.say("on its way when the stream broke")
		one.close()
		time.Sleep(gateway.Away - time.Second)
		bob.say("said meanwhile")
		again := ada.open(one.lastID)
		again.sees("#1 Bob: on its way when the stream broke", "#2 Bob: said meanwhile")

		// Half open: nobody has noticed that the stream has gone. The new one takes over.
		third := ada.open(again.lastID)
		again.ends()
		bob.say("three")
		third.sees("#3 Bob: three")
		time.Sleep(10 * gateway.Away) // it stays
		third.sees()
	})
}

// Without a stream a tab ends, be it that none came at all. An EventSource is told not to come again.
func TestTabWithoutStreamLeaves(t *testing.T) {
	bubble(t, func(t *testing.T, n *netasynctest.Network) {
		s := newSite(t, n)
		ada, bob := s.join("lobby", "Ada"), s.join("lobby", "Bob")
		s.join("lobby", "Never")
		one, two := ada.open(""), bob.open("")
		one.seen()
		two.seen()
		time.Sleep(gateway.Away - time.Second)
		two.close()
		time.Sleep(2 * time.Second)
		one.sees("Never left [Ada, Bob]")
		time.Sleep(gateway.Away)
		one.sees("Bob left [Ada]")
		answer, err := s.client.Get("http://web/events?tab=" + bob.tab)
		require.NoError(t, err)
		answer.Body.Close()
		require.Equal(t, http.StatusNoContent, answer.StatusCode)
		require.Equal(t, http.StatusNotFound, bob.sayAs(1, "hello?"))
		require.Equal(t, 1, s.gateway.Tabs())
	})
}

// A tab that is cut off when its page is closed says goodbye, too: the room need not wait for it.
func TestCutTabLeaves(t *testing.T) {
	bubble(t, func(t *testing.T, n *netasynctest.Network) {
		s := newSite(t, n)
		ada, bob := s.join("lobby", "Ada"), s.join("lobby", "Bob")
		one := ada.open("")
		one.seen()
		bob.do("cut")
		bob.do("leave")
		one.sees("Bob away [Ada, Bob (away)]", "Bob back [Ada, Bob]", "Bob left [Ada]")
	})
}

// A stream on which nothing happens has comments, by which a browser that vanished is found.
func TestStreamBeats(t *testing.T) {
	bubble(t, func(t *testing.T, n *netasynctest.Network) {
		s := newSite(t, n)
		one := s.join("lobby", "Ada").open("")
		time.Sleep(10*gateway.Beat + time.Second)
		one.close()
		one.seen()
		require.Equal(t, 10, one.beats)
	})
}

// A browser that takes nothing holds up nobody. It is let go.
func TestSlowBrowser(t *testing.T) {
	bubble(t, func(t *testing.T, n *netasynctest.Network) {
		s := newSite(t, n)
		ada, slow := s.join("lobby", "Ada"), s.join("lobby", "Slow")
		conn, err := n.Dialer("slow browser")(t.Context(), "tcp", "web:80")
		require.NoError(t, err)
		defer conn.Close()
		_, err = fmt.Fprintf(conn, "GET /events?tab=%s HTTP/1.1\r\nHost: web\r\n\r\n", slow.tab)
		require.NoError(t, err) // and it reads nothing
		one := ada.open("")
		one.seen()
		text, began := strings.Repeat("x", talk.MaxText), time.Now()
		for k := range backlog / 2 { // several times what fits into the stream
			ada.say(text)
			got, _ := one.seen()
			require.Equal(t, fmt.Sprintf("#%d Ada: %s", k+1, text), got[0])
		}
		require.Less(t, time.Since(began), gateway.Patience, "somebody waited")
		time.Sleep(gateway.Patience + gateway.Away + time.Second)
		got, _ := one.seen()
		require.Equal(t, "Slow left [Ada]", got[len(got)-1])
		require.Equal(t, 1, s.gateway.Tabs())
	})
}

// What is not kept any more is told.
func TestMissedUpdates(t *testing.T) {
	bubble(t, func(t *testing.T, n *netasynctest.Network) {
		s := newSite(t, n)
		ada := s.join("lobby", "Ada")
		one := ada.open("")
		for k := range gateway.MaxRecent + 8 { // and two updates before them
			ada.say(fmt.Sprint(k + 1))
		}
		one.seen()
		one.close()
		settle()
		got, _ := ada.open("5").seen()
		require.Len(t, got, 1+gateway.MaxRecent)
		require.Equal(t, []string{"missed 5", "#9 Ada: 9"}, got[:2])
		got, _ = ada.open("10").seen()
		require.Len(t, got, gateway.MaxRecent)
		require.Equal(t, "#9 Ada: 9", got[0])
		ada.open("99999").sees() // a number that never was
	})
}

func TestShutdownEndsStreams(t *testing.T) {
	bubble(t, func(t *testing.T, n *netasynctest.Network) {
		s := newSite(t, n)
		one := s.join("lobby", "Ada").open("")
		one.sees("connected 1 false", "Ada joined [Ada]")
		s.gateway.Close()
		one.ends()
		status, _ := s.post("join", url.Values{"room": {"lobby"}, "name": {"Late"}})
		require.Equal(t, http.StatusServiceUnavailable, status)
	})
}

func TestRefusals(t *testing.T) {
	bubble(t, func(t *testing.T, n *netasynctest.Network) {
		s := newSite(t, n)
		ada := s.join("lobby", "Ada")
		for what, c := range map[string]struct {
			path   string
			values url.Values
			status int
		}{
			"no name":      {"join", url.Values{"room": {"lobby"}}, 400},
			"no room":      {"join", url.Values{"name": {"Bob"}}, 400},
			"a long name":  {"join", url.Values{"room": {"lobby"}, "name": {strings.Repeat("x", talk.MaxName+1)}}, 400},
			"no number":    {"say", url.Values{"tab": {ada.tab}, "text": {"x"}}, 400},
			"no text":      {"say", url.Values{"tab": {ada.tab}, "n": {"1"}}, 400},
			"a long text":  {"say", url.Values{"tab": {ada.tab}, "n": {"1"}, "text": {strings.Repeat("x", talk.MaxText+1)}}, 400},
			"huge request": {"say", url.Values{"tab": {ada.tab}, "n": {"1"}, "text": {"x"}, "more": {strings.Repeat("x", gateway.MaxRequest)}}, 400},
			"another tab":  {"say", url.Values{"tab": {"x"}, "n": {"1"}, "text": {"x"}}, 404},
			"cut of none":  {"cut", nil, 404},
			"longest text": {"say", url.Values{"tab": {ada.tab}, "n": {"1"}, "text": {strings.Repeat("\U0001f469", talk.MaxText)}}, 200},
		} {
			status, body := s.post(c.path, c.values)
			require.Equal(t, c.status, status, "%s: %s", what, body)
		}
		for range gateway.MaxTabs - 1 {
			s.join("lobby", "Crowd")
		}
		status, _ := s.post("join", url.Values{"room": {"lobby"}, "name": {"More"}})
		require.Equal(t, http.StatusServiceUnavailable, status)
	})
}

// A page of another site can press none of our buttons, and no page can be made to do what it should not.
func TestOtherSites(t *testing.T) {
	bubble(t, func(t *testing.T, n *netasynctest.Network) {
		s := newSite(t, n)
		for _, path := range []string{"join", "say", "cut", "mend", "leave"} {
			request, err := http.NewRequest(http.MethodPost, "http://web/"+path, strings.NewReader("room=lobby&name=Mallory"))
			require.NoError(t, err)
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			request.Header.Set("Sec-Fetch-Site", "cross-site")
			answer, err := s.client.Do(request)
			require.NoError(t, err)
			answer.Body.Close()
			require.Equal(t, http.StatusForbidden, answer.StatusCode, path)
		}
		require.Zero(t, s.gateway.Tabs())
	})
}

func TestPage(t *testing.T) {
	bubble(t, func(t *testing.T, n *netasynctest.Network) {
		s := newSite(t, n)
		for path, kind := range map[string]string{"": "text/html", "page.js": "text/javascript", "page.css": "text/css"} {
			answer, err := s.client.Get("http://web/" + path)
			require.NoError(t, err)
			body, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, answer.StatusCode)
			require.Contains(t, answer.Header.Get("Content-Type"), kind)
			require.Contains(t, answer.Header.Get("Content-Security-Policy"), "default-src 'none'; script-src 'self'")
			require.NotContains(t, string(body), "innerHTML")
		}
	})
}
