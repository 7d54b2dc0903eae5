package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// parkedAtOnce is how many parked events are read by one query.
const parkedAtOnce = 100

// operate opens the outbox for a command that works beside microblogs that serve.
func operate(ctx context.Context, set settings, logger *slog.Logger, command func(outbox.Operations) error) (err error) {
	parts, err := openBeside(ctx, set, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.Close()) }()
	queue, ok := parts.Parts.Outbox.(outbox.Operations)
	if !ok {
		return fmt.Errorf("the outbox (%T) does not tell what is parked", parts.Parts.Outbox)
	}
	return command(queue)
}

// listParked shows the events that the broker refused, oldest first.
func listParked(ctx context.Context, set settings, logger *slog.Logger, results io.Writer) error {
	return operate(ctx, set, logger, func(queue outbox.Operations) error {
		table := tabwriter.NewWriter(results, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "ID\tTOPIC\tUUID\tPARKED AT\tREASON")
		n := 0
		err := eachParked(ctx, queue, func(some []outbox.ParkedMessage) error {
			n += len(some)
			for _, m := range some {
				reason := strings.Join(strings.Fields(m.Reason), " ")
				fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", m.ID, m.Topic, m.Message.UUID, m.ParkedAt.UTC().Format(time.RFC3339), reason)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if n == 0 {
			_, err := fmt.Fprintln(results, "nothing is parked")
			return err
		}
		return table.Flush()
	})
}

// unpark returns events to the outbox. A microblog that serves publishes them within a second.
func unpark(ctx context.Context, set settings, logger *slog.Logger, results io.Writer) error {
	if set.all == (len(set.ids) > 0) {
		return errors.New("unpark: say which events, by the ids that microblog parked shows, or -all")
	}
	return operate(ctx, set, logger, func(queue outbox.Operations) error {
		if !set.all {
			n, err := queue.Unpark(ctx, set.ids...)
			return report(results, "returned to the outbox", n, len(set.ids), err)
		}
		n := 0
		err := eachParked(ctx, queue, func(some []outbox.ParkedMessage) error {
			ids := make([]string, 0, len(some))
			for _, m := range some {
				ids = append(ids, m.ID)
			}
			returned, err := queue.Unpark(ctx, ids...)
			n += returned
			return err
		})
		return report(results, "returned to the outbox", n, n, err)
	})
}

// discard deletes parked events for good. The feeds lack what these tell, until rebuild.
func discard(ctx context.Context, set settings, logger *slog.Logger, results io.Writer) error {
	if len(set.ids) == 0 {
		return errors.New("discard: say which events, by the ids that microblog parked shows")
	}
	return operate(ctx, set, logger, func(queue outbox.Operations) error {
		n, err := queue.Discard(ctx, set.ids...)
		return report(results, "discarded", n, len(set.ids), err)
	})
}

// report says of how many parked events something was done. That some of them were not parked is an error.
func report(results io.Writer, what string, n, of int, err error) error {
	if err != nil {
		return err
	}
	fmt.Fprintf(results, "%s: %d parked events\n", what, n)
	if n < of {
		return fmt.Errorf("%d of the %d events are not parked", of-n, of)
	}
	return nil
}

// eachParked visits all that is parked, some at a time.
func eachParked(ctx context.Context, queue outbox.Operations, visit func([]outbox.ParkedMessage) error) error {
	for after := ""; ; {
		some, err := queue.Parked(ctx, after, parkedAtOnce)
		if err != nil || len(some) == 0 {
			return err
		}
		after = some[len(some)-1].ID
		if err := visit(some); err != nil {
			return err
		}
	}
}
