package deploy_test

import (
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

type alert struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

func readAlerts(t *testing.T) []alert {
	t.Helper()
	text, err := os.ReadFile(watching + "/alerts.yaml")
	require.NoError(t, err)
	var file struct {
		Groups []struct {
			Name  string  `json:"name"`
			Rules []alert `json:"rules"`
		} `json:"groups"`
	}
	require.NoError(t, yaml.UnmarshalStrict(text, &file))
	require.Len(t, file.Groups, 1)
	require.NotEmpty(t, file.Groups[0].Rules)
	return file.Groups[0].Rules
}

type panel struct {
	ID          int    `json:"id"`
	Type        string `json:"type"`
	Title       string `json:"title"`
	Description string `json:"description"`
	GridPos     struct {
		X int `json:"x"`
		W int `json:"w"`
	} `json:"gridPos"`
	Targets []struct {
		Expr         string `json:"expr"`
		LegendFormat string `json:"legendFormat"`
	} `json:"targets"`
}

func readPanels(t *testing.T) []panel {
	t.Helper()
	text, err := os.ReadFile(watching + "/dashboard.json")
	require.NoError(t, err)
	var dashboard struct {
		Panels []panel `json:"panels"`
	}
	require.NoError(t, json.Unmarshal(text, &dashboard))
	require.NotEmpty(t, dashboard.Panels)
	return dashboard.Panels
}

// expressions returns those of the dashboard and the alerts.
func expressions(t *testing.T) (all []expression) {
	t.Helper()
	for _, p := range readPanels(t) {
		for _, target := range p.Targets {
			all = append(all, expression{
				where:  "panel " + p.Title,
				text:   strings.ReplaceAll(target.Expr, "$__rate_interval", "5m"),
				labels: names(`\{\{(\w+)\}\}`, target.LegendFormat),
			})
		}
	}
	for _, a := range readAlerts(t) {
		var labels []string
		for _, text := range a.Annotations {
			labels = append(labels, names(`\$labels\.(\w+)`, text)...)
		}
		all = append(all, expression{where: "alert " + a.Alert, text: a.Expr, labels: labels})
	}
	return all
}

// names returns the groups of all matches.
func names(pattern, text string) (found []string) {
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	return found
}

// TestWatchedMetricsExist runs a microblog with a broker.
func TestWatchedMetricsExist(t *testing.T) {
	t.Parallel()
	s := startSite(t)
	s.useAll(t)
	all := expressions(t)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		found, err := readMetrics(strings.NewReader(s.get(c, "/metrics")))
		require.NoError(c, err)
		var wrong []error
		for _, e := range all {
			wrong = append(wrong, e.problems(found))
		}
		assert.NoError(c, errors.Join(wrong...))
	}, timeout, interval)

	r, err := render(copyManifests(t))
	require.NoError(t, err)
	for _, probe := range probesOf(r.container()) {
		require.EventuallyWithT(t, func(c *assert.CollectT) { s.get(c, probe.HTTPGet.Path) }, timeout, interval)
	}
	s.get(t, r.deployment.Spec.Template.Annotations["prometheus.io/path"])
}

// TestMistakesInExpressionsAreFound is about metrics that were renamed, for example.
func TestMistakesInExpressionsAreFound(t *testing.T) {
	t.Parallel()
	m, err := readMetrics(strings.NewReader(`# TYPE depth gauge
depth{relay="a"} 1
# TYPE sent_total counter
sent_total{relay="a"} 1
# TYPE took_seconds histogram
took_seconds_bucket{le="+Inf"} 1
took_seconds_sum 1
took_seconds_count 1
`))
	require.NoError(t, err)
	for _, right := range []string{
		`max by (job, relay) (depth{instance="x"})`, `sum(rate(sent_total[5m]))`,
		`histogram_quantile(0.99, sum by (le) (rate(took_seconds_bucket[5m]))) > 1`, `depth / depth and on (job) depth`,
	} {
		require.NoError(t, expression{text: right}.problems(m))
	}
	require.NoError(t, expression{text: `max by (relay) (depth)`, labels: []string{"relay"}}.problems(m))
	require.NoError(t, expression{text: `rate(sent_total[5m])`, labels: []string{"instance", "relay"}}.problems(m))
	for wrong, says := range map[string]string{
		`max(deep)`:                          "no metric deep",
		`max(depth`:                          "unclosed left parenthesis",
		`max by (topic) (depth)`:             "no label topic",
		`max(depth{topic="x"})`:              "no label topic",
		`depth and on (topic) depth`:         "no label topic",
		`sum(sent_total)`:                    "a rate is taken of counters",
		`sum(rate(depth[5m]))`:               "a rate is taken of counters",
		`sum by (le) (rate(sent_total[5m]))`: "no label le",
		`rate(sent_total)`:                   "expected type range vector",
	} {
		require.ErrorContains(t, expression{text: wrong}.problems(m), says)
	}
	require.ErrorContains(t, expression{text: `max(depth)`, labels: []string{"relay"}}.problems(m), "its results have no label relay")
}

// TestEachAlertHasARunbook: its page has a heading for each alert, and for no other.
func TestEachAlertHasARunbook(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	described := names(`(?m)^### (Feedmill\w+)$`, string(page))
	var alerts []string
	for _, a := range readAlerts(t) {
		alerts = append(alerts, a.Alert)
		assert.Equal(t, "https://github.com/feedmill/feedmill/blob/main/docs/operations.md#"+strings.ToLower(a.Alert), a.Annotations["runbook_url"])
		assert.NotEmpty(t, a.Annotations["summary"], a.Alert)
		assert.NotEmpty(t, a.Annotations["description"], a.Alert)
		assert.Contains(t, []string{"page", "ticket"}, a.Labels["severity"], a.Alert)
		assert.Regexp(t, `^\d+m$`, a.For, a.Alert)
	}
	assert.Equal(t, alerts, described, "in the same order")
}

func TestEachPanelSaysWhatItTells(t *testing.T) {
	t.Parallel()
	ids, alerts := map[int]bool{}, readAlerts(t)
	for _, p := range readPanels(t) {
		assert.False(t, ids[p.ID], "%s: an id of another panel", p.Title)
		ids[p.ID] = true
		assert.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
		if p.Type == "row" {
			continue
		}
		assert.NotEmpty(t, p.Title)
		assert.NotEmpty(t, p.Targets, p.Title)
		assert.Greater(t, len(p.Description), 60, "%s: what does it tell?", p.Title)
		for _, named := range names(`(Feedmill\w+)`, p.Description) {
			exists := slices.ContainsFunc(alerts, func(a alert) bool { return a.Alert == named })
			assert.True(t, exists, "%s: no alert %s", p.Title, named)
		}
	}
}
