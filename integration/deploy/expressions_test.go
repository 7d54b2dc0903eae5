package deploy_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
)

// metrics are those of /metrics, by the names that expressions select.
type metrics map[string]metric

type metric struct {
	counts bool // it only rises
	labels []string
}

// scrapeLabels are the labels that Prometheus adds.
func scrapeLabels() []string { return []string{"job", "namespace", "instance"} }

func readMetrics(text io.Reader) (metrics, error) {
	reader := expfmt.NewTextParser(model.LegacyValidation)
	families, err := reader.TextToMetricFamilies(text)
	if err != nil {
		return nil, fmt.Errorf("parse metrics: %w", err)
	}
	found := metrics{}
	for name, family := range families {
		labels := scrapeLabels()
		for _, pair := range family.GetMetric()[0].GetLabel() {
			labels = append(labels, pair.GetName())
		}
		switch family.GetType() {
		case dto.MetricType_HISTOGRAM:
			found[name+"_sum"], found[name+"_count"] = metric{true, labels}, metric{true, labels}
			found[name+"_bucket"] = metric{true, append(labels, "le")}
		default:
			found[name] = metric{family.GetType() == dto.MetricType_COUNTER, labels}
		}
	}
	return found, nil
}

// expression is one of the dashboard or of an alert.
type expression struct {
	where, text string
	labels      []string // those that its results must have
}

// problems returns what is wrong with an expression: metrics and labels that there are not, counters of which no rate is
// taken, and rates of what is no counter.
func (e expression) problems(m metrics) error {
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(e.text)
	if err != nil {
		return fmt.Errorf("%s: %w", e.where, err)
	}
	r := reading{metrics: m, known: map[string]bool{}, used: map[string]bool{}, kept: map[string]bool{}}
	parser.Inspect(parsed, r.visit)
	for label := range r.used {
		r.check(r.known[label], "no label %s: there are %v", label, slices.Sorted(maps.Keys(r.known)))
	}
	for _, label := range e.labels {
		r.check(r.known[label] && (r.kept[label] || !r.aggregates), "its results have no label %s", label)
	}
	if err := errors.Join(r.problems...); err != nil {
		return fmt.Errorf("%s: %s: %w", e.where, e.text, err)
	}
	return nil
}

// reading is what was found in an expression.
type reading struct {
	problems

	metrics     metrics
	known, used map[string]bool // labels
	aggregates  bool
	kept        map[string]bool // labels that an aggregation keeps
}

// visit reads a node of the expression.
func (r *reading) visit(node parser.Node, path []parser.Node) error {
	switch n := node.(type) {
	case *parser.VectorSelector:
		r.selects(n, isRate(path))
	case *parser.AggregateExpr:
		r.aggregates = true
		for _, label := range n.Grouping {
			r.used[label], r.kept[label] = true, true
		}
	case *parser.BinaryExpr:
		if n.VectorMatching != nil {
			for _, label := range n.VectorMatching.MatchingLabels {
				r.used[label] = true
			}
		}
	}
	return nil
}

// selects reads what is selected, of which a rate is taken or not.
func (r *reading) selects(n *parser.VectorSelector, rate bool) {
	selected, exists := r.metrics[n.Name]
	r.check(exists, "no metric %s", n.Name)
	r.check(!exists || selected.counts == rate, "%s: a rate is taken of counters, and only of these", n.Name)
	for _, label := range selected.labels {
		r.known[label] = true
	}
	for _, matcher := range n.LabelMatchers {
		if matcher.Name != model.MetricNameLabel {
			r.used[matcher.Name] = true
		}
	}
}

// isRate reports whether what is at the end of the path is an argument of rate or increase.
func isRate(path []parser.Node) bool {
	return slices.ContainsFunc(path, func(node parser.Node) bool {
		call, is := node.(*parser.Call)
		return is && (call.Func.Name == "rate" || call.Func.Name == "increase")
	})
}
