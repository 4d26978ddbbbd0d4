package prom_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v2"
)

// The README's table is that of the collector: each metric, its labels with all of their values, and
// its text.
func TestReadmeTable(t *testing.T) {
	table := "| metric | labels | |\n|---|---|---|\n"
	for _, f := range gather(t, everything()) {
		table += fmt.Sprintf("| `%s` | %s | %s |\n", f.GetName(), labels(f), f.GetHelp())
	}
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	old := regexp.MustCompile(`(?m)^\| metric \|(.*\n\|)*.*\n`)
	require.Len(t, old.FindAll(readme, -1), 1)
	if *update {
		readme = old.ReplaceAllLiteral(readme, []byte(table))
		require.NoError(t, os.WriteFile("README.md", readme, 0o644))
	}
	require.Equal(t, table, string(old.Find(readme)), "go test -update writes it anew")
}

// labels describes the labels of a family, with their values.
func labels(f *dto.MetricFamily) string {
	var names []string
	values := map[string][]string{}
	for _, m := range f.GetMetric() {
		for _, l := range m.GetLabel() {
			name := l.GetName()
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
			if name != "name" && !slices.Contains(values[name], l.GetValue()) {
				values[name] = append(values[name], l.GetValue())
			}
		}
	}
	for i, name := range names {
		names[i] = "`" + name + "`"
		if values[name] != nil {
			slices.Sort(values[name])
			names[i] += " (" + strings.Join(values[name], ", ") + ")"
		}
	}
	return strings.Join(names, ", ")
}

// The dashboard and the alerts ask for metrics that there are, and the dashboard shows each of them.
func TestQueriesAskForMetricsThereAre(t *testing.T) {
	var names []string
	for _, f := range gather(t, everything()) {
		names = append(names, f.GetName())
	}
	var shown []string
	for _, text := range append(dashboardQueries(t), alertTexts(t)...) {
		asked := regexp.MustCompile(`\bnetasync_\w+`).FindAllString(text, -1)
		require.NotEmpty(t, asked, text)
		require.Subset(t, names, asked)
		shown = append(shown, asked...)
	}
	require.Subset(t, shown, names)
}

// dashboardQueries returns the queries of dashboard.json, as Grafana sends them if all is selected.
func dashboardQueries(t *testing.T) (all []string) {
	t.Helper()
	text, err := os.ReadFile("dashboard.json")
	require.NoError(t, err)
	var dashboard struct {
		Templating struct {
			List []struct{ Name, Definition string }
		}
		Panels []struct {
			Title, Description string
			Targets            []struct{ Expr string }
		}
	}
	require.NoError(t, json.Unmarshal(text, &dashboard))
	var variables []string
	for _, v := range dashboard.Templating.List {
		variables = append(variables, v.Name)
	}
	require.ElementsMatch(t, []string{"datasource", "instance", "name"}, variables)
	require.Equal(t, 1, strings.Count(string(text), `"type": "datasource"`))
	substitute := strings.NewReplacer("$__rate_interval", "5s", "$name", ".*", "$instance", ".*")
	for _, p := range dashboard.Panels {
		require.NotEmpty(t, p.Title)
		require.NotEmpty(t, p.Description, p.Title)
		require.NotEmpty(t, p.Targets, p.Title)
		for _, target := range p.Targets {
			query := substitute.Replace(target.Expr)
			require.NotContains(t, query, "$")
			all = append(all, query)
		}
	}
	return all
}

// alertTexts returns the expressions of alerts.yml, each of which has a summary and a description, and
// is told of in the README.
func alertTexts(t *testing.T) (all []string) {
	t.Helper()
	text, err := os.ReadFile("alerts.yml")
	require.NoError(t, err)
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr         string
				Labels, Annotations map[string]string
			}
		}
	}
	require.NoError(t, yaml.Unmarshal(text, &rules))
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			require.Contains(t, []string{"warning", "critical"}, r.Labels["severity"], r.Alert)
			require.NotEmpty(t, r.Annotations["summary"], r.Alert)
			require.NotEmpty(t, r.Annotations["description"], r.Alert)
			require.Contains(t, string(readme), "`"+r.Alert+"`")
			all = append(all, r.Expr)
		}
	}
	return all
}
