package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// settleTimeout bounds the transaction that carries out the results of publish. It has a context of its own: if the
// caller's context has ended, the messages would be published a second time otherwise.
const settleTimeout = 10 * time.Second

// maxRemoveIDs keeps a DELETE short.
const maxRemoveIDs = 1000

// Drain implements outbox.Outbox.
func (o *Outbox) Drain(ctx context.Context, limit int, except []string, publish outbox.PublishFunc) (int, error) {
	if limit < 1 {
		return 0, fmt.Errorf("%s: drain outbox %s: %w: limit %d is not positive",
			o.database.dialect.Name, o.table, cqrsfeed.ErrInvalid, limit)
	}
	drain := o.drainLocked
	if o.database.dialect.SkipLocked == "" {
		drain = o.drainUnlocked
	}
	taken, err := drain(ctx, limit, except, publish)
	return taken, o.wrap("drain", err)
}

// drainLocked keeps the rows locked while they are published: other relays pass over them.
func (o *Outbox) drainLocked(ctx context.Context, limit int, except []string, publish outbox.PublishFunc) (taken int, err error) {
	var notParked error
	err = o.database.transact(ctx, o.database.dialect.BeginDrain, func(tx *sql.Conn) error {
		batch, err := o.takeBatch(ctx, tx, limit, except)
		taken = batch.taken()
		if err != nil || taken == 0 {
			return err
		}
		settled, err := batch.publish(ctx, publish)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
		defer cancel()
		notParked, err = o.settle(ctx, tx, settled)
		return err
	})
	return taken, errors.Join(err, notParked)
}

// drainUnlocked holds no transaction while it publishes, because that would block all writers for as long.
// Relays of this process take turns; another process may publish the same messages.
func (o *Outbox) drainUnlocked(ctx context.Context, limit int, except []string, publish outbox.PublishFunc) (int, error) {
	leave, err := o.draining.enter(ctx)
	if err != nil {
		return 0, err
	}
	defer leave()
	var batch batch
	err = o.database.Retry(ctx, func() (err error) {
		batch, err = o.takeBatch(ctx, o.database.db, limit, except)
		return err
	})
	if err != nil || batch.taken() == 0 {
		return 0, err
	}
	settled, err := batch.publish(ctx, publish)
	if err != nil || settled.empty() {
		return batch.taken(), err
	}
	var notParked error
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	err = o.database.Change(ctx, func(tx *sql.Conn) (err error) {
		notParked, err = o.settle(ctx, tx, settled)
		return err
	})
	return batch.taken(), errors.Join(err, notParked)
}

// settle deletes published messages and parks refused ones. If parking alone fails, the deletion is committed
// nevertheless, or the messages would be published again for as long as parking fails.
func (o *Outbox) settle(ctx context.Context, tx *sql.Conn, settled settlement) (notParked, err error) {
	if err := o.removeIDs(ctx, tx, o.table, settled.published); err != nil || len(settled.refused) == 0 {
		return nil, err
	}
	if _, err := tx.ExecContext(ctx, "SAVEPOINT parking"); err != nil {
		return nil, fmt.Errorf("before parking: %w", err)
	}
	err = o.park(ctx, tx, settled.refused)
	if err == nil || o.database.dialect.Classify(err) != Permanent {
		return nil, err
	}
	if _, undoErr := tx.ExecContext(ctx, "ROLLBACK TO SAVEPOINT parking"); undoErr != nil {
		return nil, errors.Join(err, undoErr)
	}
	return err, nil
}

// settlement has the messages of a batch that leave the queue.
type settlement struct {
	published []int64
	refused   []refusal
}

func (s settlement) empty() bool { return len(s.published) == 0 && len(s.refused) == 0 }

// publish calls publish with the batch and returns what leaves the queue.
func (b batch) publish(ctx context.Context, publish outbox.PublishFunc) (settlement, error) {
	settled := settlement{refused: b.broken}
	if len(b.ids) == 0 {
		return settled, nil
	}
	results := publish(ctx, b.messages)
	if len(results) != len(b.ids) {
		return settlement{}, Stop(fmt.Errorf("publish gave %d results for %d messages", len(results), len(b.ids)))
	}
	for i, result := range results {
		switch result.Outcome {
		case outbox.Published:
			settled.published = append(settled.published, b.ids[i])
		case outbox.Park:
			settled.refused = append(settled.refused, refusal{b.ids[i], result.Reason, result.Attempts})
		case outbox.Keep:
		}
	}
	return settled, nil
}

// removeIDs writes the numbers into the statement: preparing it would cost another round trip.
func (o *Outbox) removeIDs(ctx context.Context, tx execer, table string, ids []int64) error {
	for chunk := range slices.Chunk(ids, maxRemoveIDs) {
		statement := o.database.dialect.DeleteIDs(o.database.dialect.Quote(table), joinIDs(chunk))
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("remove %d messages from table %s: %w", len(ids), table, err)
		}
	}
	return nil
}
