//go:build linux

// Command sse measures servers of Server-Sent Events side by side and writes the figures to standard output. README.md of
// this module explains them.
//
//	make bench-sse ARGS="-clients 100 -stalled 100 -reconnecting 100 -rounds 1"
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/feedmill/feedmill/benchmarks/sse/internal/contestant"
	"github.com/feedmill/feedmill/benchmarks/sse/internal/measure"
	"github.com/feedmill/feedmill/benchmarks/sse/internal/server"
)

func main() {
	server.ServeIfAsked()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sse:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	config, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if slices.ContainsFunc(config.Contestants, isProgram) {
		program, remove, err := centrifugo(ctx)
		if err != nil {
			log.WarnContext(ctx, "Centrifugo is left out", "error", err)
			config.Contestants = slices.DeleteFunc(config.Contestants, isProgram)
		}
		defer remove()
		config.Centrifugo = program
	}
	bench, err := measure.New(ctx, config)
	if err != nil {
		return err
	}
	results, err := bench.Run(ctx, log)
	if ctx.Err() != nil { // Medians of some of the rounds would pass for those of all.
		return err
	}

	return errors.Join(err, measure.Report(os.Stdout, config, results))
}

func isProgram(name string) bool {
	kind, err := contestant.KindOf(name)

	return err == nil && kind.Program
}

// centrifugo returns the path of Centrifugo, which it builds in a temporary folder if it is not in the PATH, and a function that
// removes it.
func centrifugo(ctx context.Context) (program string, remove func(), err error) {
	if program, err := exec.LookPath("centrifugo"); err == nil {
		return program, func() {}, nil
	}
	folder, err := os.MkdirTemp("", "feedmill-centrifugo-")
	if err != nil {
		return "", func() {}, err
	}
	remove = func() { _ = os.RemoveAll(folder) }
	module := "github.com/centrifugal/centrifugo/v6@" + contestant.CentrifugoVersion
	build := exec.CommandContext(ctx, "go", "install", module) //nolint:gosec // G204: a constant
	build.Env = append(os.Environ(), "GOBIN="+folder)
	if output, err := build.CombinedOutput(); err != nil {
		return "", remove, fmt.Errorf("build it: %w: %s", err, output)
	}

	return filepath.Join(folder, "centrifugo"), remove, nil
}

func parse(arguments []string) (measure.Config, error) {
	config := measure.Config{
		Contestants: contestant.Names(), Clients: []int{1_000, 10_000}, Sizes: []int{200}, Changes: []contestant.Change{contestant.NewPost},
	}
	flags := flag.NewFlagSet("sse", flag.ContinueOnError)
	flags.Func("contestants", "comma-separated `names` of what to measure, of "+strings.Join(contestant.All(), ",")+" (default all but the last three)",
		func(value string) error {
			config.Contestants = strings.Split(value, ",")
			for _, name := range config.Contestants {
				if _, err := contestant.KindOf(name); err != nil {
					return err
				}
			}

			return nil
		})
	flags.Func("changes", "comma-separated changes of a state in the measure of traffic, post or count (default post)",
		func(value string) error {
			config.Changes = nil
			for change := range strings.SplitSeq(value, ",") {
				config.Changes = append(config.Changes, contestant.Change(change))
			}

			return nil
		})
	flags.Func("sizes", "comma-separated sizes of a state in bytes of JSON; the first is also that of the other measures (default 200)",
		func(value string) (err error) {
			config.Sizes, err = parseNumbers(value)

			return err
		})
	flags.Func("clients", "comma-separated `numbers` of clients to measure traffic with, 0 for none (default 1000,10000)",
		func(value string) (err error) {
			config.Clients, err = parseNumbers(value)

			return err
		})
	flags.IntVar(&config.Rounds, "rounds", 5, "number of rounds")
	flags.IntVar(&config.Deliveries, "deliveries", 200_000, "deliveries of traffic to measure in a round")
	flags.IntVar(&config.Stalled, "stalled", 1_000, "clients that do not read, beside as many that do, 0 for none")
	flags.IntVar(&config.StalledSize, "stalled-size", 4096, "size of an update in the measure with stalled clients, in bytes of JSON")
	flags.IntVar(&config.Updates, "updates", 240, "number of updates in the measure with stalled clients")
	flags.DurationVar(&config.Interval, "interval", 25*time.Millisecond, "time between these updates")
	flags.IntVar(&config.Reconnecting, "reconnecting", 10_000, "clients that reconnect at once, 0 for none")
	flags.IntVar(&config.Idle, "idle", 0, "idle clients whose memory to measure, by who holds it, 0 for none")
	flags.DurationVar(&config.Patience, "patience", 15*time.Second, "limit for the delivery of an update, and for goroutines to end")
	if err := flags.Parse(arguments); err != nil {
		return config, err
	}

	return config, config.Validate()
}

func parseNumbers(value string) ([]int, error) {
	var numbers []int
	for part := range strings.SplitSeq(value, ",") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil, fmt.Errorf("parse number: %w", err)
		}
		if n > 0 {
			numbers = append(numbers, n)
		}
	}

	return numbers, nil
}
