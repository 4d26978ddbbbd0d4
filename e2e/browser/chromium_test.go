package browser

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

var screenshots = flag.String("screenshot", "", "write screenshots of the pages to this `directory`")

// chromium is a browser that ends with its test.
type chromium struct {
	t   *testing.T
	ctx context.Context
}

// startChromium starts one. Its profile is empty, and it has no window.
func startChromium(t *testing.T) *chromium {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(findChromium(t)),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-dev-shm-usage", true), // which is small in containers
		chromedp.Flag("hide-scrollbars", true),
	)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses to run as root with it
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	ctx, end := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(end)
	ctx, end = chromedp.NewContext(ctx)
	t.Cleanup(end)
	require.NoError(t, chromedp.Run(ctx), "start Chromium")
	t.Cleanup(func() { _ = chromedp.Cancel(ctx) }) // waits until it has ended
	return &chromium{t, ctx}
}

// findChromium returns the path of a browser.
func findChromium(t *testing.T) string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("there is no Chromium; on Debian: apt-get install chromium")
	return ""
}

// page is a tab of a browser. What it complains about fails its test: exceptions, and what its security
// policy forbids.
type page struct {
	t   *testing.T
	ctx context.Context

	mu         sync.Mutex
	complaints []string
}

// open opens an address in a new tab.
func (c *chromium) open(url string) *page {
	c.t.Helper()
	ctx, end := chromedp.NewContext(c.ctx)
	c.t.Cleanup(end)
	p := &page{t: c.t, ctx: ctx}
	chromedp.ListenTarget(ctx, p.hear)
	p.do(cdplog.Enable(), chromedp.Navigate(url))
	c.t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.complaints) > 0 {
			p.t.Errorf("the page complains:\n%s", strings.Join(p.complaints, "\n"))
		}
	})
	return p
}

func (p *page) hear(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch event := event.(type) {
	case *runtime.EventExceptionThrown:
		p.complaints = append(p.complaints, event.ExceptionDetails.Error())
	case *cdplog.EventEntryAdded:
		if event.Entry.Level == cdplog.LevelError {
			p.complaints = append(p.complaints, event.Entry.Text+" "+event.Entry.URL)
		}
	}
}

// forgive forgets complaints in which there is a text.
func (p *page) forgive(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.complaints = slices.DeleteFunc(p.complaints, func(c string) bool { return strings.Contains(c, text) })
}

func (p *page) do(actions ...chromedp.Action) {
	p.t.Helper()
	require.NoError(p.t, chromedp.Run(p.ctx, actions...))
}

// fill types into a field, with a key press for each character.
func (p *page) fill(field, text string) {
	p.t.Helper()
	p.do(chromedp.WaitVisible(field, chromedp.ByQuery), chromedp.Clear(field, chromedp.ByQuery),
		chromedp.SendKeys(field, text, chromedp.ByQuery))
}

func (p *page) click(button string) {
	p.t.Helper()
	p.do(chromedp.WaitEnabled(button, chromedp.ByQuery), chromedp.Click(button, chromedp.ByQuery))
}

// eval returns what an expression in the page evaluates to.
func eval[T any](p *page, expression string) (value T) {
	p.t.Helper()
	p.do(chromedp.Evaluate(expression, &value))
	return value
}

// wait waits until an expression in the page is true. A failure shows the page's text.
func (p *page) wait(expression string) {
	p.t.Helper()
	err := chromedp.Run(p.ctx, chromedp.Poll(expression, nil,
		chromedp.WithPollingInterval(20*time.Millisecond), // not by frames, which a page in the background has none of
		chromedp.WithPollingTimeout(patience/3)))
	if err != nil {
		var text string
		_ = chromedp.Run(p.ctx, chromedp.Evaluate("document.body.innerText", &text))
		require.NoError(p.t, err, "%s never came; the page says:\n%s", expression, text)
	}
}

// look is how a page is shown.
type look struct {
	width, height int64
	scheme        string // light or dark
}

// shoot takes a screenshot, if the flag is given.
func (p *page) shoot(name string, l look) {
	p.t.Helper()
	if *screenshots == "" {
		return
	}
	var png []byte
	p.do(
		cdppage.BringToFront(), // what is in the background is not drawn
		chromedp.EmulateViewport(l.width, l.height, chromedp.EmulateScale(1)),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.scheme}}),
		chromedp.CaptureScreenshot(&png),
	)
	require.NoError(p.t, os.WriteFile(filepath.Join(*screenshots, name+".png"), png, 0o644))
}
