package outbox

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
)

// settleTimeout limits the transaction that executes the results of publish. It has a context of its own: if it used
// the caller's and that had ended, the messages would be published a second time.
const settleTimeout = 10 * time.Second

// maxRemoveIDs keeps a DELETE short.
const maxRemoveIDs = 1000

// HoldDrains waits for a running Drain to end, and keeps others from beginning until leave is called. It does nothing
// if rows can be locked.
func HoldDrains(ctx context.Context, o *Outbox) (leave func(), err error) {
	return o.draining.Enter(ctx)
}

// Drain implements outbox.Outbox.
func (o *Outbox) Drain(ctx context.Context, limit int, except []string, publish outbox.PublishFunc) (int, error) {
	if limit < 1 {
		return 0, o.wrap("drain", fmt.Errorf("%w: limit %d is not positive", cqrsfeed.ErrInvalid, limit))
	}
	drain := o.drainLocked
	if o.database.Dialect.SkipLocked == "" {
		drain = o.drainUnlocked
	}
	for {
		taken, behind, err := drain(ctx, limit, except, publish)
		if err != nil || len(behind) == 0 {
			return taken, o.wrap("drain", err)
		}
		except = append(slices.Clone(except), behind...) // and again, without locks on their rows
	}
}

// drainLocked keeps the rows locked during publishing. Other relays skip them. If it returns topics, it has taken
// nothing: see inOrder.
func (o *Outbox) drainLocked(
	ctx context.Context, limit int, except []string, publish outbox.PublishFunc,
) (taken int, behind []string, err error) {
	var batch batch
	var kept int64
	committed := false
	defer func() { // also after a panic of publish
		if !committed {
			kept = batch.first
		}
		o.marks.lower(kept)
	}()
	var notParked error
	err = o.database.Transact(ctx, o.database.Dialect.BeginDrain, func(tx *sqldb.Conn) (err error) {
		batch, behind, err = o.takeBatch(ctx, tx, limit, except)
		taken = batch.taken()
		if err != nil || taken == 0 || len(behind) > 0 {
			return err
		}
		settled, err := batch.publish(ctx, publish)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
		defer cancel()
		notParked, err = o.settle(ctx, tx, settled)
		kept = settled.kept
		return err
	})
	err = errors.Join(err, notParked)
	committed = err == nil
	return taken, behind, err
}

// drainUnlocked holds no transaction during publishing, because that would block all writers. Relays of this process
// take turns. Another process may publish the same messages.
func (o *Outbox) drainUnlocked(
	ctx context.Context, limit int, except []string, publish outbox.PublishFunc,
) (taken int, behind []string, err error) {
	leave, err := o.draining.Enter(ctx)
	if err != nil {
		return 0, nil, err
	}
	defer leave()
	var batch batch
	err = o.database.Retry(ctx, func() (err error) {
		batch, behind, err = o.takeBatch(ctx, o.database.DB, limit, except)
		return err
	})
	if err != nil || batch.taken() == 0 || len(behind) > 0 {
		return 0, behind, err
	}
	settled, err := batch.publish(ctx, publish)
	if err != nil || settled.empty() {
		return batch.taken(), nil, err
	}
	var notParked error
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	err = o.database.Change(ctx, func(tx *sqldb.Conn) (err error) {
		notParked, err = o.settle(ctx, tx, settled)
		return err
	})
	return batch.taken(), nil, errors.Join(err, notParked)
}

// settle deletes published messages and parks refused ones. If only parking fails, the deletion is committed. Otherwise
// the messages would be published again for as long as parking fails.
func (o *Outbox) settle(ctx context.Context, tx *sqldb.Conn, settled settlement) (notParked, err error) {
	if err := o.removeIDs(ctx, tx, o.table, settled.published); err != nil || len(settled.refused) == 0 {
		return nil, err
	}
	if _, err := tx.ExecContext(ctx, "SAVEPOINT parking"); err != nil {
		return nil, fmt.Errorf("before parking: %w", err)
	}
	err = o.park(ctx, tx, settled.refused)
	if err == nil || o.database.Dialect.Classify(err) != sqldb.Permanent {
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
	kept      int64 // the first that does not leave it, or 0
}

func (s settlement) empty() bool { return len(s.published) == 0 && len(s.refused) == 0 }

// publish calls publish with the batch and returns the messages that leave the queue.
func (b batch) publish(ctx context.Context, publish outbox.PublishFunc) (settlement, error) {
	settled := settlement{refused: b.broken}
	if len(b.ids) == 0 {
		return settled, nil
	}
	results := publish(ctx, b.messages)
	if len(results) != len(b.ids) {
		return settlement{}, sqldb.Stop(fmt.Errorf("publish gave %d results for %d messages", len(results), len(b.ids)))
	}
	for i, result := range results {
		switch result.Outcome {
		case outbox.Published:
			settled.published = append(settled.published, b.ids[i])
		case outbox.Park:
			settled.refused = append(settled.refused, refusal{b.ids[i], b.messages[i].Topic, result.Reason, result.Attempts, &results[i].ParkedID})
		case outbox.Keep:
			if settled.kept == 0 {
				settled.kept = b.ids[i]
			}
		}
	}
	return settled, nil
}

// removeIDs writes the ids into the statement, because preparing it would cost another round trip.
func (o *Outbox) removeIDs(ctx context.Context, tx sqldb.Execer, table string, ids []int64) error {
	for chunk := range slices.Chunk(ids, maxRemoveIDs) {
		statement := o.database.Dialect.DeleteIDs(o.database.Dialect.Quote(table), joinIDs(chunk))
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("remove %d messages from table %s: %w", len(ids), table, err)
		}
	}
	return nil
}

// Prepare completes the schema, and then executes the statements of Drains that find nothing. If a server, a setting or a
// table refused one of them, messages would be accepted but never published, perhaps only once a topic fails.
func Prepare(ctx context.Context, o *Outbox) error {
	dialect := o.database.Dialect
	if o.marks != nil {
		if err := o.database.Retry(ctx, func() error { return o.beginReturns(ctx) }); err != nil {
			return fmt.Errorf("create the row of table %s: %w", o.table+returnsSuffix, err)
		}
	}
	if dialect.SkipLocked == "" {
		return nil
	}
	err := o.database.Begin(ctx, dialect.BeginDrain, func(tx *sqldb.Conn) error {
		if _, err := readBatch(ctx, tx, o.take.oldest, int64(math.MaxInt64), 1); err != nil {
			return err
		}
		if _, err := queryIDs(ctx, tx, o.take.ofTopic, "", int64(math.MaxInt64), 1); err != nil {
			return fmt.Errorf("look for messages of a topic: %w", err)
		}
		if _, err := readBatch(ctx, tx, fmt.Sprintf(o.take.ids, "0"), dialect.Unprepared...); err != nil {
			return err
		}
		return o.removeIDs(ctx, tx, o.table, []int64{0})
	})
	switch {
	case err == nil:
		return nil
	case dialect.Classify(err) == sqldb.Demoted:
		return fmt.Errorf("the server takes no writes; connect to the primary: %w", err)
	default:
		return fmt.Errorf("try what a relay does on table %s, which must have the keys that EnsureSchema creates: %w", o.table, err)
	}
}
