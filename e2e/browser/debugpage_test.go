package browser

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// The page of some sensors whose collector is killed and comes back: it moves by itself, can be sorted,
// and leads to each session.
func TestDebugPage(t *testing.T) {
	program := startProgram(t, "telemetry", "-sensors", "120", "-addr", "127.0.0.1:0", "-debug", "127.0.0.1:0",
		"-restart", "3s", "-down", "2s")
	url := program.line("debug ")
	t.Cleanup(program.interrupt) // after the browser has ended
	p := startChromium(t).open(url)

	p.wait(`document.querySelectorAll("#names tbody tr").length === 2`)
	p.wait(`document.querySelector("[data-plot=sensor] polyline") !== null`)
	p.wait(`document.querySelector("[data-unit=received]").textContent === "received a second"`)
	p.wait(`document.querySelectorAll("#sessions tbody .disconnected").length > 90`) // the collector is killed
	p.wait(`document.querySelector("[data-plot=sensor] polyline").getAttribute("points").split(" ").length > 8`)
	p.wait(`[...document.querySelectorAll("#sessions meter")].some(m => m.value > 40)`) // and they queue
	p.shoot("debugpage", look{1380, 820, "light"})
	p.shoot("debugpage-dark", look{1380, 820, "dark"})
	p.shoot("debugpage-phone", look{390, 760, "light"})

	p.wait(`document.querySelectorAll("#sessions tbody .connected").length > 90`) // it is back
	p.follow(`#sessions thead a[href*="sort=received"]`)
	p.wait(`location.search.includes("sort=received") && document.querySelector("[aria-sort]").textContent.trim() === "received"`)
	p.wait(`document.querySelector("#sessions tbody tr td:nth-child(9)").textContent !== "0"`)
	require.True(t, eval[bool](p, `(() => {
		const column = [...document.querySelectorAll("#sessions tbody tr td:nth-child(9)")].map(c => Number(c.textContent.replace(/,/g, "")));
		return column.length === 100 && column.every((v, i) => i === 0 || v <= column[i-1] + 3); // as they grow meanwhile
	})()`), "sorted by what was received")
	p.follow(`a[rel=next]`)
	p.wait(`document.getElementById("range").textContent.startsWith("101 to")`)

	p.do(chromedp.Navigate(url + "sessions?name=sensor"))
	p.follow(`#sessions tbody a[href^="sessions/"]`)
	p.wait(`document.querySelector("h2").textContent.startsWith("Session") && document.body.innerText.includes("round trip")`)
	p.shoot("debugpage-session", look{1100, 760, "light"})
	p.follow(`nav a[href$="events"]`)
	p.wait(`document.querySelectorAll("#events tbody tr").length === 512`)
	p.shoot("debugpage-events", look{1380, 620, "dark"})
}

// All of it can be read, sorted and narrowed without script.
func TestDebugPageWithoutScript(t *testing.T) {
	program := startProgram(t, "telemetry", "-sensors", "30", "-addr", "127.0.0.1:0", "-debug", "127.0.0.1:0", "-restart", "0")
	url := program.line("debug ")
	t.Cleanup(program.interrupt)
	p := startChromium(t).open("about:blank")
	p.do(emulation.SetScriptExecutionDisabled(true), chromedp.Navigate(url))
	require.Equal(t, 2, eval[int](p, `document.querySelectorAll("#names tbody tr").length`))
	require.Equal(t, 60, eval[int](p, `document.querySelectorAll("#sessions tbody tr").length`))
	require.False(t, eval[bool](p, `document.body.classList.contains("live")`), "the script has run")

	p.follow(`#sessions thead a[href*="sort=sent"]`)
	require.Equal(t, "sent", eval[string](p, `document.querySelector("[aria-sort]").textContent.trim()`))
	p.do(chromedp.SetValue("[name=name]", "collector", chromedp.ByQuery))
	p.follow("form button")
	require.Equal(t, "1 to 30 of 30, of 60 in all", eval[string](p, `document.getElementById("range").textContent.trim()`))
	p.follow(`#sessions tbody a`)
	require.Contains(t, eval[string](p, `document.body.innerText`), "OnEvent, Inline")
	p.follow(`nav a[href$="closed"]`)
	require.Contains(t, eval[string](p, `document.body.innerText`), "None has closed yet")
}

// follow clicks what leads to another page, and waits for that. The page is to stand still meanwhile: a
// link that is replaced cannot be clicked.
func (p *page) follow(link string) {
	p.t.Helper()
	if eval[bool](p, `document.body.classList.contains("live") && document.getElementById("live").checked`) {
		p.click("#live")
		p.wait(`!document.body.classList.contains("looking")`)
	}
	_, err := chromedp.RunResponse(p.ctx, chromedp.Click(link, chromedp.ByQuery))
	require.NoError(p.t, err)
}

// A peer's certificate can say what it likes: it is shown, as text.
func TestDebugPageOfALyingCertificate(t *testing.T) {
	const subject = `<script>document.title = "owned"</script><img src=x onerror="document.title='owned'">`
	dir := t.TempDir()
	authority, key := certificate(t, "authority", nil, nil)
	server := write(t, dir, "server", authority, key)
	program := startProgram(t, "echo-server", "-addr", "127.0.0.1:0", "-debug", "127.0.0.1:0",
		"-tls-cert", server+".crt", "-tls-key", server+".key", "-tls-client-ca", server+".crt")
	addr := program.line("listening ")
	url := program.line("debug ")
	t.Cleanup(program.interrupt)

	liar, own := certificate(t, subject, authority, key)
	conn, err := tls.Dial("tcp", addr, &tls.Config{
		InsecureSkipVerify: true,
		Certificates:       []tls.Certificate{{Certificate: [][]byte{liar.Raw}, PrivateKey: own}},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = conn.Read(make([]byte, 4)) // its greeting: there is a session
	require.NoError(t, err)

	p := startChromium(t).open(url)
	p.wait(`document.querySelector("#sessions .identity") !== null`)
	require.Contains(t, eval[string](p, `document.querySelector("#sessions .identity").textContent`), `CN=\<script\>document.title`)
	p.wait(`document.getElementById("clock").textContent !== ""`)
	p.shoot("debugpage-certificate", look{1100, 560, "light"})
	p.follow("#sessions tbody a")
	p.wait(`document.body.innerText.includes("subject")`)
	require.Contains(t, eval[string](p, `document.body.innerText`), `\<script\>document.title`)
	require.NotEqual(t, "owned", eval[string](p, "document.title"))
	require.Zero(t, eval[int](p, `document.querySelectorAll("main script, main img").length`))
}

// certificate makes one, signed by a parent or by itself.
func certificate(t *testing.T, name string, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	if parent == nil {
		template.IsCA, template.BasicConstraintsValid = true, true
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	require.NoError(t, err)
	made, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return made, key
}

// write writes a certificate and its key, and returns the path of both without its end.
func write(t *testing.T, dir, name string, c *x509.Certificate, key *ecdsa.PrivateKey) string {
	t.Helper()
	path := filepath.Join(dir, name)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	for end, block := range map[string]*pem.Block{
		".crt": {Type: "CERTIFICATE", Bytes: c.Raw}, ".key": {Type: "PRIVATE KEY", Bytes: der},
	} {
		require.NoError(t, os.WriteFile(path+end, pem.EncodeToMemory(block), 0o600))
	}
	return path
}
