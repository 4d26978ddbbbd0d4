package prom_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
)

// patience bounds each wait for another program. Only a hang uses it up.
const patience = 30 * time.Second

// need returns the path of a program of the Debian package prometheus. The test is skipped without it;
// make metrics is not.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%v; on Debian: apt-get install --no-install-recommends prometheus", err)
	}
	return path
}

// Prometheus takes the alerts, and each of them fires when it is to.
func TestAlertRules(t *testing.T) {
	promtool := need(t, "promtool")
	for _, args := range [][]string{{"check", "rules", "alerts.yml"}, {"test", "rules", "testdata/alerts_test.yml"}} {
		out, err := exec.Command(promtool, args...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	tests, err := os.ReadFile("testdata/alerts_test.yml")
	require.NoError(t, err)
	rules, err := os.ReadFile("alerts.yml")
	require.NoError(t, err)
	for _, alert := range regexp.MustCompile(`alert: (\w+)`).FindAllSubmatch(rules, -1) {
		require.Contains(t, string(tests), fmt.Sprintf("alertname=%q", alert[1]), "it is tested")
	}
}

// A Prometheus server scrapes a program whose sessions come and go. It sees no counter begin anew, it
// has something to show for each query of the dashboard, and at the end it knows what was received as
// exactly as the program.
func TestPrometheusServer(t *testing.T) {
	program := startChurn(t)
	server := startPrometheus(t, program.metrics)
	lint := exec.Command(need(t, "promtool"), "check", "metrics")
	lint.Stdin = bytes.NewReader(get(t, "http://"+program.metrics+"/metrics"))
	out, err := lint.CombinedOutput()
	require.NoError(t, err, "%s", out)

	server.wait("thirty scrapes", `count_over_time(netasync_loops[1m]) >= 30`)
	for _, query := range dashboardQueries(t) {
		require.NotEmpty(t, server.query(query), query)
	}
	for _, query := range []string{
		`rate(netasync_messages_total{name="collector",direction="receive"}[5s]) > 0`,
		`rate(netasync_messages_total{name="sensors",direction="transmit"}[5s]) > 0`,
		`rate(netasync_message_bytes_total{name="sensors",direction="transmit"}[5s]) > 0`,
		`rate(netasync_connections_total{name="sensors",kind="dialed"}[5s]) > 0`,
		`rate(netasync_connections_total{name="collector",kind="accepted"}[5s]) > 0`,
		`sum(rate(netasync_disconnects_total{name="sensors"}[5s])) > 0`,
		`max_over_time(netasync_sessions{name="sensors",kind="dialed",state="connected"}[1m]) > 100`,
		`netasync_loops > 0`,
	} {
		require.NotEmpty(t, server.query(query), query)
	}

	received := program.finish()
	require.NotZero(t, received)
	const last = `netasync_messages_total{name="collector",direction="receive"}`
	server.wait("the last scrape", fmt.Sprint(last, " == ", received))
	server.wait("the end of the sessions", `sum(netasync_sessions) == 0`)
	sums := server.series(last)
	require.Greater(t, len(sums), 3)
	require.IsNonDecreasing(t, sums)
	for _, f := range gather(t, everything()) {
		if f.GetType() == dto.MetricType_COUNTER {
			query := fmt.Sprintf("sum(resets(%s[5m]))", f.GetName())
			require.Equal(t, []float64{0}, server.query(query), query)
		}
	}
	require.Empty(t, server.query(`ALERTS{alertname="NetasyncUnreachable"}`))
	for _, health := range regexp.MustCompile(`"health":"(\w+)"`).FindAllSubmatch(server.get("rules", nil), -1) {
		require.Equal(t, "ok", string(health[1]), "Prometheus can evaluate each rule")
	}
}

// churn is internal/churn as a process of its own.
type churn struct {
	t       *testing.T
	metrics string // where they are, host:port
	in      io.Writer
	out     *bufio.Scanner
}

func startChurn(t *testing.T) *churn {
	t.Helper()
	path := filepath.Join(t.TempDir(), "churn")
	out, err := exec.Command("go", "build", "-o", path, "./internal/churn").CombinedOutput()
	require.NoError(t, err, "%s", out)
	cmd := exec.Command(path)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout := start(t, cmd, cmd.StdoutPipe)
	c := &churn{t: t, in: in, out: stdout}
	c.metrics = c.line("metrics at ")
	return c
}

// line waits for a line, and returns what follows prefix.
func (c *churn) line(prefix string) string {
	c.t.Helper()
	require.True(c.t, c.out.Scan(), "the program has ended")
	rest, ok := strings.CutPrefix(c.out.Text(), prefix)
	require.True(c.t, ok, c.out.Text())
	return rest
}

// finish ends the program's sessions, and returns how many messages it has received.
func (c *churn) finish() int {
	c.t.Helper()
	_, err := io.WriteString(c.in, "\n")
	require.NoError(c.t, err)
	received, err := strconv.Atoi(c.line("received "))
	require.NoError(c.t, err)
	return received
}

// start starts a program, which ends with the test, and returns what it writes to one of its outputs.
func start(t *testing.T, cmd *exec.Cmd, output func() (io.ReadCloser, error)) *bufio.Scanner {
	t.Helper()
	out, err := output()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	hang := time.AfterFunc(2*patience, func() { _ = cmd.Process.Kill() }) // so that reading ends
	t.Cleanup(func() {
		hang.Stop()
		_ = cmd.Process.Kill()
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
	})
	return bufio.NewScanner(out)
}

// prometheusServer is a server of the test's own.
type prometheusServer struct {
	t   *testing.T
	api string
}

// startPrometheus starts a server that scrapes a program. The system chooses its port.
func startPrometheus(t *testing.T, target string) *prometheusServer {
	t.Helper()
	path := need(t, "prometheus")
	rules, err := filepath.Abs("alerts.yml")
	require.NoError(t, err)
	config := filepath.Join(t.TempDir(), "prometheus.yml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `
global: {scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 1s}
rule_files: [%q]
scrape_configs: [{job_name: churn, static_configs: [{targets: [%q]}]}]
`, rules, target), 0o600))
	cmd := exec.Command(path, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(t.TempDir(), "data"),
		"--web.listen-address=127.0.0.1:0")
	log := start(t, cmd, cmd.StderrPipe)
	listening := regexp.MustCompile(`"Listening on".* address=(\S+)`)
	for log.Scan() {
		if m := listening.FindStringSubmatch(log.Text()); m != nil {
			go func() {
				for log.Scan() { // so that it never waits to write
				}
			}()
			return &prometheusServer{t, "http://" + m[1] + "/api/v1/"}
		}
	}
	require.Fail(t, "Prometheus has ended before it listened")
	return nil
}

// get asks the API, and returns the data of its answer.
func (p *prometheusServer) get(what string, values url.Values) json.RawMessage {
	p.t.Helper()
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	require.NoError(p.t, json.Unmarshal(get(p.t, p.api+what+"?"+values.Encode()), &answer))
	require.Equal(p.t, "success", answer.Status, "%s: %v", answer.Error, values)
	return answer.Data
}

func get(t *testing.T, url string) []byte {
	t.Helper()
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get(url)
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return body
}

// sample is what Prometheus says: a time, and a number in quotes.
type sample [2]json.RawMessage

func (s sample) value(t *testing.T) float64 {
	t.Helper()
	value, err := strconv.ParseFloat(strings.Trim(string(s[1]), `"`), 64)
	require.NoError(t, err)
	return value
}

// query returns the values of a query, of now.
func (p *prometheusServer) query(promql string) (values []float64) {
	p.t.Helper()
	var data struct {
		Result []struct{ Value sample }
	}
	require.NoError(p.t, json.Unmarshal(p.get("query", url.Values{"query": {promql}}), &data))
	for _, r := range data.Result {
		values = append(values, r.Value.value(p.t))
	}
	return values
}

// series returns the values of a query that has one series, of the last minute, second by second.
func (p *prometheusServer) series(promql string) (values []float64) {
	p.t.Helper()
	now := time.Now()
	var data struct {
		Result []struct{ Values []sample }
	}
	require.NoError(p.t, json.Unmarshal(p.get("query_range", url.Values{
		"query": {promql}, "step": {"1"},
		"start": {fmt.Sprint(now.Add(-time.Minute).Unix())}, "end": {fmt.Sprint(now.Unix())},
	}), &data))
	require.Len(p.t, data.Result, 1)
	for _, v := range data.Result[0].Values {
		values = append(values, v.value(p.t))
	}
	return values
}

// wait asks until a query has a result.
func (p *prometheusServer) wait(what, promql string) {
	p.t.Helper()
	require.Eventually(p.t, func() bool { return len(p.query(promql)) > 0 }, patience, 100*time.Millisecond, "%s: %s", what, promql)
}
