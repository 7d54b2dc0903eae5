//go:build linux

package measure

import (
	"fmt"
	"io"
	"maps"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/feedmill/feedmill/benchmarks/sse/internal/contestant"
)

// absent is printed for a figure that was not measured.
const absent = "-"

// Report writes the results as Markdown tables of medians over the rounds. A ratio is the median of the ratios in the same
// round.
func Report(w io.Writer, config Config, r Results) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s on %d CPUs, %s; medians of %d rounds.\n",
		runtime.Version(), runtime.NumCPU(), runtime.GOOS+"/"+runtime.GOARCH, config.Rounds)
	for _, c := range config.cases() {
		reportTraffic(&b, config, c, r.Traffic[c])
	}
	if config.Stalled > 0 {
		reportStall(&b, config, r.Stall)
	}
	if config.Reconnecting > 0 {
		reportReconnect(&b, config, r.Reconnect)
	}
	if config.Idle > 0 {
		reportMemory(&b, config, r.Memory)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}

	return nil
}

func reportTraffic(b *strings.Builder, config Config, c Case, rounds Rounds[Traffic]) {
	fmt.Fprintf(b, "\n%d clients, states of %d bytes, each with a new %s:\n\n", c.Clients, c.Size, c.Change)
	row(b, "server", "CPU a delivery, µs", "to floor", "to stock", "writes a delivery", "bytes a delivery", "feedmill's to them",
		"loads an update", "RSS a client, idle, KiB", "after traffic, KiB", "heap and stacks, KiB")
	rule(b, 11)
	for _, name := range config.Contestants {
		cpu := func(t *Traffic) float64 { return t.CPU }
		row(b, label(name, c.Clients),
			cell(2)(rounds.median(name, cpu)),
			cell(2)(rounds.ratio(name, contestant.Floor, cpu)),
			cell(2)(rounds.ratio(name, contestant.Stock, cpu)),
			cell(2)(rounds.median(name, func(t *Traffic) float64 { return t.Writes })),
			cell(0)(rounds.median(name, func(t *Traffic) float64 { return t.Bytes })),
			cell(1)(rounds.ratio(contestant.Feedmill, name, func(t *Traffic) float64 { return t.Bytes })),
			cell(0)(rounds.median(name, func(t *Traffic) float64 { return t.Loads })),
			cell(1)(rounds.median(name, func(t *Traffic) float64 { return t.IdleRSS })),
			cell(1)(rounds.median(name, func(t *Traffic) float64 { return t.UsedRSS })),
			cell(2)(rounds.median(name, func(t *Traffic) float64 { return t.Held })),
		)
	}
}

// label says with how many clients a contestant was measured if these were fewer.
func label(name string, clients int) string {
	if kind, err := contestant.KindOf(name); err == nil && kind.Most > 0 && kind.Most < clients {
		return fmt.Sprintf("%s, %d clients", name, kind.Most)
	}

	return name
}

func reportStall(b *strings.Builder, config Config, rounds Rounds[Stall]) {
	fmt.Fprintf(b, "\n%[1]d clients that read, without and with %[1]d that do not, updates of %[2]d bytes, one in %[3]s:\n\n",
		config.Stalled, config.StalledSize, config.Interval)
	row(b, "server", "p99 without, ms", "p99 with, ms", "ratio", "offered to each stalled, KiB", "taken by each, KiB",
		"RSS without, MiB", "RSS with, MiB", "goroutines without", "goroutines with", "left behind")
	rule(b, 11)
	for _, name := range config.whole() {
		with := cell(1)(rounds.median(name, func(s *Stall) float64 { return s.With }))
		ratio := cell(2)(rounds.median(name, func(s *Stall) float64 { return s.With / s.Without }))
		if rounds.any(name, func(s *Stall) bool { return s.Stuck }) {
			with, ratio = "never", absent
		}
		row(b, name,
			cell(1)(rounds.median(name, func(s *Stall) float64 { return s.Without })), with, ratio,
			cell(0)(rounds.median(name, func(s *Stall) float64 { return s.Offered })),
			cell(0)(rounds.median(name, func(s *Stall) float64 { return s.Taken })),
			cell(0)(rounds.median(name, func(s *Stall) float64 { return s.RSS })),
			cell(0)(rounds.median(name, func(s *Stall) float64 { return s.StalledRSS })),
			cell(0)(rounds.median(name, func(s *Stall) float64 { return float64(s.Goroutines) })),
			cell(0)(rounds.median(name, func(s *Stall) float64 { return float64(s.StalledGoroutines) })),
			cell(0)(rounds.median(name, func(s *Stall) float64 { return float64(s.Left) })),
		)
	}
}

func reportReconnect(b *strings.Builder, config Config, rounds Rounds[Reconnect]) {
	fmt.Fprintf(b, "\n%d clients reconnecting at once:\n\n", config.Reconnecting)
	row(b, "server", "loads", "errors", "all back after, s")
	rule(b, 4)
	for _, name := range config.whole() {
		row(b, name,
			cell(0)(rounds.median(name, func(r *Reconnect) float64 { return r.Loads })),
			cell(0)(rounds.median(name, func(r *Reconnect) float64 { return r.Errors })),
			cell(2)(rounds.median(name, func(r *Reconnect) float64 { return r.Back })),
		)
	}
}

// reportMemory has a row for each package that holds a tenth of a KiB or more.
func reportMemory(b *strings.Builder, config Config, rounds Rounds[Memory]) {
	fmt.Fprintf(b, "\nMemory of %d idle clients, KiB each:\n\n", config.Idle)
	head := []string{"what"}
	for _, name := range config.Contestants {
		head = append(head, label(name, config.Idle))
	}
	row(b, head...)
	rule(b, 1+len(config.Contestants))
	figures := func(what string, figure func(*Memory) float64) {
		cells := []string{what}
		for _, name := range config.Contestants {
			cells = append(cells, cell(2)(rounds.median(name, figure)))
		}
		row(b, cells...)
	}
	figures("RSS", func(m *Memory) float64 { return m.RSS })
	figures("stacks", func(m *Memory) float64 { return m.Stacks })
	figures("heap", func(m *Memory) float64 { return m.Heap })
	owners := map[string]bool{}
	for _, measured := range rounds {
		for _, m := range measured {
			if m != nil {
				for owner, held := range m.Owners {
					owners[owner] = owners[owner] || held >= 0.1
				}
			}
		}
	}
	for _, owner := range slices.Sorted(maps.Keys(owners)) {
		if owners[owner] {
			figures("heap: "+owner, func(m *Memory) float64 {
				if m.Owners == nil {
					return math.NaN()
				}

				return m.Owners[owner]
			})
		}
	}
}

func row(b *strings.Builder, cells ...string) {
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

func rule(b *strings.Builder, columns int) {
	b.WriteString("|---|" + strings.Repeat("---:|", columns-1) + "\n")
}

// cell formats a figure, or prints absent.
func cell(decimals int) func(figure float64, ok bool) string {
	return func(figure float64, ok bool) string {
		if !ok || math.IsNaN(figure) {
			return absent
		}

		return strconv.FormatFloat(figure, 'f', decimals, 64)
	}
}
