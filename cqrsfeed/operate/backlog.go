package operate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// backlog prints what waits in an outbox.
func backlog(ctx context.Context, queue outbox.Operations, results io.Writer) error {
	all, err := queue.Backlog(ctx)
	if err != nil {
		return err
	}
	if len(all.Topics) > 0 {
		if note := byTopic(all.Waiting); note != "" {
			fmt.Fprintln(results, note)
		}
		table := tabwriter.NewWriter(results, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "TOPIC\tWAITING\tOLDEST")
		for _, t := range all.Topics {
			fmt.Fprintf(table, "%s\t%d\t%s\n", t.Topic, t.Waiting, t.Oldest.UTC().Format(time.RFC3339))
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	wait, are := "messages wait", "are"
	if all.Waiting == 1 {
		wait = "message waits"
	}
	if all.Parked == 1 {
		are = "is"
	}
	_, err = fmt.Fprintf(results, "%s %s in the outbox, %s %s parked\n", counted(all.Waiting), wait, counted(all.Parked), are)
	return err
}

// atBroker says what waits at a broker for projections.
func atBroker(ctx context.Context, projections []AtBroker, results io.Writer) error {
	if len(projections) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(results, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PROJECTION\tTOPIC\tWAITING\tOLDEST")
	var failures []error
	for _, p := range projections {
		for _, topic := range p.Topics {
			waiting, err := p.Subscriber.Backlog(ctx, topic)
			if err != nil {
				failures = append(failures, fmt.Errorf("projection %q: %w", p.Projection, err))
				continue
			}
			oldest := ""
			if !waiting.Oldest.IsZero() {
				oldest = waiting.Oldest.UTC().Format(time.RFC3339)
			}
			fmt.Fprintf(table, "%s\t%s\t%d\t%s\n", p.Projection, topic, waiting.Messages, oldest)
		}
	}
	return errors.Join(append(failures, table.Flush())...)
}

// plural returns a number with the noun of what is counted.
func plural[N int | int64](n N, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// byTopic says what a table by topic leaves out if so many messages wait, "" if nothing.
func byTopic(waiting int64) string {
	if waiting < outbox.MaxCounted {
		return ""
	}
	return fmt.Sprintf("by topic, only the oldest %d are counted:", outbox.MaxCounted)
}

// counted returns a number of messages that is counted up to outbox.MaxCounted.
func counted(n int64) string {
	if n >= outbox.MaxCounted {
		return fmt.Sprintf("%d or more", outbox.MaxCounted)
	}
	return strconv.FormatInt(n, 10)
}
