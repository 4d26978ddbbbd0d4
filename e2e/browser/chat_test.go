package browser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Two tabs talk, one's connection is cut, and it goes on typing.
func TestChat(t *testing.T) {
	server := startProgram(t, "chat", "-web", "127.0.0.1:0", "-listen", "127.0.0.1:0")
	url := server.line("open ")
	t.Cleanup(server.interrupt) // after the browser has ended
	browser := startChromium(t)

	const script = "<script>document.title = 'owned'</script>" // must stay text
	ada := enter(browser, url, "Ada")
	bob := enter(browser, url, "Bob <b>")
	ada.wait(members("Ada", "Bob <b>"))
	bob.wait(members("Ada", "Bob <b>"))

	want := []string{"Hello, who is there?", script, "It is only text."}
	say(ada, want[0])
	bob.wait(heard(1))
	say(bob, want[1])
	ada.wait(heard(2))
	say(ada, want[2])
	bob.wait(heard(3))

	ada.click("#cut")
	ada.wait(`document.getElementById("link").dataset.state === "disconnected"`)
	bob.wait(members("Ada (away)", "Bob <b>"))
	say(bob, "Ada, are you there?")
	bob.wait(heard(4))
	want = append(want, "Ada, are you there?")
	for n := range 5 {
		text := fmt.Sprintf("I go on typing: %d", n+1)
		want = append(want, text)
		say(ada, text)
	}
	ada.wait(`document.querySelectorAll("#waiting li").length === 5`)
	require.Equal(t, want[:3], eval[[]string](ada, texts), "Ada was told something while she was cut off")
	require.Equal(t, want[:4], eval[[]string](bob, texts))
	ada.shoot("chat-cut", look{760, 520, "light"})
	ada.shoot("chat-cut-dark", look{760, 520, "dark"})
	ada.shoot("chat-cut-phone", look{360, 640, "light"})

	ada.click("#cut")
	ada.wait(`document.getElementById("link").textContent === "Connected again, by connection 2: resumed, nothing is lost."`)
	for _, p := range []*page{ada, bob} {
		p.wait(heard(len(want)))
		require.Equal(t, want, eval[[]string](p, texts), "each message once, and in order")
		require.NotEqual(t, "owned", eval[string](p, "document.title"))
		p.wait(members("Ada", "Bob <b>"))
	}
	ada.wait(`document.querySelectorAll("#waiting li").length === 0`)
	ada.shoot("chat", look{760, 520, "light"})
	ada.shoot("chat-dark", look{760, 520, "dark"})
	bob.shoot("chat-phone", look{360, 640, "dark"})
}

// The program ends, and is started again: the page, which was left open, joins anew by itself, and says
// what was written meanwhile.
func TestChatRestart(t *testing.T) {
	first := startProgram(t, "chat", "-web", "127.0.0.1:0", "-listen", "127.0.0.1:0")
	url := first.line("open ")
	ada := enter(startChromium(t), url, "Ada")
	say(ada, "one")
	ada.wait(heard(1))
	first.interrupt()
	ada.wait(`document.getElementById("link").dataset.state === "disconnected"`)
	say(ada, "two")
	second := startProgram(t, "chat", "-web", strings.TrimPrefix(url, "http://"), "-listen", "127.0.0.1:0")
	second.line("open ")
	ada.wait(heard(2))
	require.Equal(t, []string{"one", "two"}, eval[[]string](ada, texts))
	ada.wait(`document.getElementById("link").textContent === "Connected."`)
	ada.forgive("net::ERR_") // that nobody was there
	ada.forgive("404")       // that the second program did not know the tab
}

// On three nodes: Ada's connection is moved by the page's buttons while both talk. Then the node of her session is
// killed: she has a new one at another.
func TestChatCluster(t *testing.T) {
	server := startProgram(t, "chat/cluster", "-web", "127.0.0.1:0")
	url := server.line("open ")
	t.Cleanup(server.interrupt) // after the browser has ended
	browser := startChromium(t)
	ada := enter(browser, url, "Ada")
	bob := enter(browser, url, "Bob")
	for _, p := range []*page{ada, bob} {
		p.wait(members("Ada", "Bob"))
	}
	ada.wait(mark("a", "your session, your connection"))
	bob.wait(mark("b", "your session, your connection"))

	var want []string
	epoch := 1
	for range 4 {
		for _, to := range []string{"b", "c", "a"} {
			epoch++
			ada.click(fmt.Sprintf("[data-node=%s] .move", to))
			for _, p := range []*page{ada, bob} { // while she is on her way
				what := map[*page]string{ada: "I move to node " + to, bob: "Come in, " + to}[p]
				want = append(want, fmt.Sprintf("%s (%d)", what, len(want)+1))
				say(p, want[len(want)-1])
			}
			ada.wait(fmt.Sprintf(`document.getElementById("link").textContent === "Connected again, by connection %d to node %s: resumed, nothing is lost."`, epoch, to))
			if to == "c" && epoch == 3 {
				bob.wait(heard(len(want)))
				ada.wait(heard(len(want)))
				ada.wait(mark("a", "your session"))
				ada.wait(mark("c", "your connection"))
				ada.wait(members("Ada", "Bob"))
				ada.shoot("chat-cluster", look{760, 520, "light"})
				ada.shoot("chat-cluster-dark", look{760, 520, "dark"})
				ada.shoot("chat-cluster-phone", look{360, 640, "light"})
			}
		}
	}
	for _, p := range []*page{ada, bob} {
		p.wait(heard(len(want)))
		require.ElementsMatch(t, want, eval[[]string](p, texts), "each message once")
		require.False(t, eval[bool](p, `document.body.innerText.includes("came behind")`), "the order of a node")
		p.wait(members("Ada", "Bob"))
	}

	bob.click("[data-node=a] button:last-child") // where her session lives
	ada.wait(`document.body.innerText.includes("began a new session")`)
	ada.wait(mark("a", "is down"))
	bob.wait(members("Ada (2)", "Bob")) // the dead one's name was not free yet, and it has left
	ada.wait(mark("b", "your session, your connection"))
	say(ada, "I am back")
	bob.wait(heard(len(want) + 1))
	bob.click("[data-node=a] button:last-child")
	bob.wait(mark("a", ""))
	bob.click("[data-node=a] .move")
	bob.wait(mark("a", "your connection"))
	say(bob, "By the node that was dead")
	ada.wait(heard(len(want) + 2))
}

// mark is true when the page says this of a node.
func mark(node, text string) string {
	return fmt.Sprintf(`document.querySelector("[data-node=%s] small")?.textContent === %q`, node, text)
}

// enter opens the page and joins the lobby.
func enter(c *chromium, url, name string) *page {
	c.t.Helper()
	p := c.open(url)
	p.fill("#join [name=name]", name)
	p.click("#join button")
	p.wait(`document.getElementById("link").dataset.state === "connected"`)
	return p
}

func say(p *page, text string) {
	p.t.Helper()
	p.fill("#say [name=text]", text)
	p.click("#say button")
}

// texts is what was said in the room, as the page shows it.
const texts = `[...document.querySelectorAll("#said .text")].filter(e => e.parentNode.className !== "notice").map(e => e.textContent)`

// heard is true when the page shows so many messages.
func heard(n int) string { return fmt.Sprintf("%s.length === %d", texts, n) }

// members is true when the page shows these members of the room.
func members(names ...string) string {
	return fmt.Sprintf(`JSON.stringify([...document.querySelectorAll("#members li")]`+
		`.map(e => e.textContent + (e.classList.contains("away") ? " (away)" : ""))) === JSON.stringify(%s)`, quoted(names))
}

func quoted(names []string) string {
	list := "["
	for _, name := range names {
		list += fmt.Sprintf("%q,", name)
	}
	return list + "]"
}
