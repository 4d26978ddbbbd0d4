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
