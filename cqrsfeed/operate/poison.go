package operate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed/projector"
)

// ErrNotPoison is returned if some of the messages to replay or remove are not in the poison topic. The others are replayed or
// removed.
var ErrNotPoison = errors.New("not in the poison topic")

func runPoison(ctx context.Context, c Command, queue projector.PoisonQueue, publisher message.Publisher, results io.Writer) error {
	if c.Name == "poison" {
		return listPoison(ctx, queue, results)
	}
	what, do := "removed", queue.Remove
	if c.Name == "replay" {
		if publisher == nil {
			return errors.New("replay: there is no publisher")
		}
		what, do = "replayed", func(ctx context.Context, ids ...string) (int, error) { return replay(ctx, queue, publisher, ids) }
	}
	ids := c.IDs
	if c.All {
		err := eachPoisoned(ctx, queue, func(m projector.PoisonedMessage) error {
			ids = append(ids, m.ID)
			return nil
		})
		if err != nil {
			return err
		}
	}
	missing, err := notPoisoned(ctx, queue, ids)
	if err != nil {
		return err
	}
	n, err := do(ctx, ids...)
	fmt.Fprintf(results, "%s: %s of the poison topic\n", what, plural(n, "message"))
	switch {
	case err != nil || n >= len(ids):
		return err
	case len(missing) == 0: // somebody else was faster
		return fmt.Errorf("%d of the %d messages: %w", len(ids)-n, len(ids), ErrNotPoison)
	}
	return fmt.Errorf("%s: %w", strings.Join(missing, ", "), ErrNotPoison)
}

// notPoisoned returns which IDs are not in a poison topic.
func notPoisoned(ctx context.Context, queue projector.PoisonQueue, ids []string) (missing []string, err error) {
	for _, id := range ids {
		_, found, err := queue.Lookup(ctx, id)
		if err != nil {
			return nil, err
		}
		if !found {
			missing = append(missing, id)
		}
	}
	return missing, nil
}

// listPoison lists the messages of a poison topic, oldest first.
func listPoison(ctx context.Context, queue projector.PoisonQueue, results io.Writer) error {
	table := tabwriter.NewWriter(results, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tTOPIC\tUUID\tSET ASIDE AT\tREASON")
	n := 0
	err := eachPoisoned(ctx, queue, func(m projector.PoisonedMessage) error {
		n++
		reason := strings.Join(strings.Fields(m.Message.Metadata.Get(projector.PoisonReasonKey)), " ")
		_, err := fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", m.ID, m.Message.Metadata.Get(projector.PoisonTopicKey),
			m.Message.UUID, m.SetAside.UTC().Format(time.RFC3339), reason)
		return err
	})
	if err != nil {
		return err
	}
	if n == 0 {
		_, err := fmt.Fprintln(results, "nothing was set aside")
		return err
	}
	return table.Flush()
}

// replay publishes messages again and removes each published one. It returns how many, and joins the errors.
func replay(ctx context.Context, queue projector.PoisonQueue, publisher message.Publisher, ids []string) (n int, err error) {
	var errs []error
	for _, id := range ids {
		poisoned, found, err := queue.Lookup(ctx, id)
		if err != nil {
			return n, errors.Join(append(errs, err)...)
		}
		if !found {
			continue
		}
		if err := projector.Replay(publisher, poisoned.Message); err != nil {
			errs = append(errs, err)
			continue
		}
		removed, err := queue.Remove(ctx, id)
		n += removed
		if err != nil {
			return n, errors.Join(append(errs, err)...)
		}
	}
	return n, errors.Join(errs...)
}

// eachPoisoned visits all messages of a poison topic, including those that arrive meanwhile.
func eachPoisoned(ctx context.Context, queue projector.PoisonQueue, visit func(projector.PoisonedMessage) error) error {
	for after := ""; ; {
		some, err := queue.Poisoned(ctx, after, messagesAtOnce)
		if err != nil || len(some) == 0 {
			return err
		}
		for _, m := range some {
			if err := visit(m); err != nil {
				return err
			}
		}
		after = some[len(some)-1].ID
	}
}
