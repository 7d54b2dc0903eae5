package operate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// parkedAtOnce is how many parked messages are read by one query.
const parkedAtOnce = 100

// ErrNotParked is returned by Unpark and Discard, after the others were returned or discarded, if some of the messages
// are not parked.
var ErrNotParked = errors.New("not parked")

// Parked lists the parked messages of an outbox, oldest first.
func Parked(ctx context.Context, queue outbox.Operations, results io.Writer) error {
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
}

// Unpark returns parked messages to the outbox, from which a relay publishes them within a second.
func Unpark(ctx context.Context, queue outbox.Operations, results io.Writer, ids ...string) error {
	n, err := queue.Unpark(ctx, ids...)
	return report(results, "returned to the outbox", n, len(ids), err)
}

// UnparkAll returns all parked messages to the outbox.
func UnparkAll(ctx context.Context, queue outbox.Operations, results io.Writer) error {
	n := 0
	err := eachParked(ctx, queue, func(some []outbox.ParkedMessage) error {
		ids := make([]string, len(some))
		for i, m := range some {
			ids[i] = m.ID
		}
		returned, err := queue.Unpark(ctx, ids...)
		n += returned
		return err
	})
	return report(results, "returned to the outbox", n, n, err)
}

// Discard deletes parked messages for good. Read models lack what they tell until the next change of the item, or a
// rebuild.
func Discard(ctx context.Context, queue outbox.Operations, results io.Writer, ids ...string) error {
	n, err := queue.Discard(ctx, ids...)
	return report(results, "discarded", n, len(ids), err)
}

func report(results io.Writer, what string, n, of int, err error) error {
	if err != nil {
		return err
	}
	fmt.Fprintf(results, "%s: %d parked messages\n", what, n)
	if n < of {
		return fmt.Errorf("%d of the %d messages: %w", of-n, of, ErrNotParked)
	}
	return nil
}

// eachParked visits all parked messages, some at a time.
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
