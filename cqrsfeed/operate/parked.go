package operate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// parkedAtOnce is how many parked messages are read by one query.
const parkedAtOnce = 100

// ErrNotParked is returned if some of the messages to return or discard are not parked. The others are returned or discarded.
var ErrNotParked = errors.New("not parked")

// backlog prints what waits in an outbox.
func backlog(ctx context.Context, queue outbox.Operations, results io.Writer) error {
	all, err := queue.Backlog(ctx)
	if err != nil {
		return err
	}
	topics, err := queue.WaitingByTopic(ctx)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(results, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TOPIC\tWAITING\tOLDEST")
	for _, t := range topics {
		fmt.Fprintf(table, "%s\t%d\t%s\n", t.Topic, t.Waiting, t.Oldest.UTC().Format(time.RFC3339))
	}
	if all.Estimated && len(topics) > 0 {
		fmt.Fprintf(results, "by topic, the oldest %d:\n", outbox.MaxCounted)
	}
	if len(topics) > 0 {
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
	_, err = fmt.Fprintf(results, "%s %s in the outbox, %s %s parked\n", waiting(all.Waiting, all.Estimated), wait, parkedCount(all.Parked), are)
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

// parked lists the parked messages of an outbox, oldest first.
func parked(ctx context.Context, queue outbox.Operations, results io.Writer) error {
	table := tabwriter.NewWriter(results, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tTOPIC\tUUID\tPARKED AT\tREASON")
	n := 0
	err := eachParked(ctx, queue, func(some []outbox.ParkedMessage) error {
		n += len(some)
		for _, m := range some {
			reason := strings.Join(strings.Fields(m.Reason), " ")
			topic := m.Topic
			if m.Holds {
				topic += " (waits for it)"
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", m.ID, topic, m.Message.UUID, m.ParkedAt.UTC().Format(time.RFC3339), reason)
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

// returned is the result of unparked messages.
const returned = "returned to the outbox"

// unparkAll returns all parked messages to the outbox.
func unparkAll(ctx context.Context, queue outbox.Operations, results io.Writer) error {
	n, err := unparkEach(ctx, queue)
	if err == nil {
		reportParked(results, returned, n)
	}
	return err
}

// unparkEach returns all parked messages to the outbox, each once, even if a relay parks it again meanwhile. It returns their
// number.
func unparkEach(ctx context.Context, queue outbox.Operations) (n int, err error) {
	var ids []string
	err = eachParked(ctx, queue, func(messages []outbox.ParkedMessage) error {
		for _, m := range messages {
			ids = append(ids, m.ID)
		}
		return nil
	})
	for some := range slices.Chunk(ids, parkedAtOnce) {
		if err != nil {
			break
		}
		var unparked int
		unparked, err = queue.Unpark(ctx, some...)
		n += unparked
	}
	return n, err
}

// settle does something with parked messages, and tells with how many. The error names those that are not parked.
func settle(
	ctx context.Context, queue outbox.Operations, ids []string, results io.Writer, what string,
	do func(ctx context.Context, ids ...string) (int, error),
) error {
	missing, err := notParkedOf(ctx, queue, ids)
	if err != nil {
		return err
	}
	n, err := do(ctx, ids...)
	if err != nil {
		return err
	}
	reportParked(results, what, n)
	switch {
	case n >= len(ids):
		return nil
	case len(missing) == 0: // another operator was faster
		return fmt.Errorf("%d of the %d messages: %w", len(ids)-n, len(ids), ErrNotParked)
	}
	return fmt.Errorf("%s: %w", strings.Join(missing, ", "), ErrNotParked)
}

func reportParked(results io.Writer, what string, n int) {
	fmt.Fprintf(results, "%s: %s\n", what, plural(n, "parked message"))
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
