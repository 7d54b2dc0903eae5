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

// removeTimeout bounds the deletion of what the broker has. It goes on when the caller's context ended in
// between, because the messages would be published a second time otherwise.
const removeTimeout = 10 * time.Second

// maxRemoveIDs keeps a DELETE short.
const maxRemoveIDs = 1000

// Drain implements outbox.Outbox.
func (o *Outbox) Drain(ctx context.Context, limit int, publish outbox.PublishFunc) (int, error) {
	if limit < 1 {
		return 0, fmt.Errorf("%s: drain outbox %s: %w: limit %d is not positive",
			o.database.dialect.Name, o.table, cqrsfeed.ErrInvalid, limit)
	}
	drain := o.drainLocked
	if o.database.dialect.SkipLocked == "" {
		drain = o.drainUnlocked
	}
	taken, err := drain(ctx, limit, publish)
	return taken, o.wrap("drain", err)
}

// drainLocked keeps the rows locked while they are being published: other relays pass over them.
func (o *Outbox) drainLocked(ctx context.Context, limit int, publish outbox.PublishFunc) (taken int, err error) {
	var notParked error
	err = o.database.transact(ctx, o.database.dialect.BeginDrain, func(tx *sql.Conn) error {
		batch, err := o.takeBatch(ctx, tx, limit)
		taken = batch.taken()
		if err != nil || taken == 0 {
			return err
		}
		settled, err := batch.publish(ctx, publish)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
		defer cancel()
		notParked, err = o.settle(ctx, tx, settled)
		return err
	})
	return taken, errors.Join(err, notParked)
}

// drainUnlocked holds no transaction while it publishes, because that would keep every writer waiting for
// the broker. Relays of this process take turns; another process may publish the same messages.
func (o *Outbox) drainUnlocked(ctx context.Context, limit int, publish outbox.PublishFunc) (int, error) {
	leave, err := o.draining.enter(ctx)
	if err != nil {
		return 0, err
	}
	defer leave()
	var batch batch
	err = o.database.Retry(ctx, func() (err error) {
		batch, err = o.takeBatch(ctx, o.database.db, limit)
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
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	err = o.database.Change(ctx, func(tx *sql.Conn) (err error) {
		notParked, err = o.settle(ctx, tx, settled)
		return err
	})
	return batch.taken(), errors.Join(err, notParked)
}

// settle has published and refused messages leave the queue. When parking fails by itself, what was published
// leaves all the same, or it would be published again for as long as that lasts.
func (o *Outbox) settle(ctx context.Context, tx *sql.Conn, settled settlement) (notParked, err error) {
	if err := o.removeIDs(ctx, tx, o.table, settled.acknowledged); err != nil || len(settled.refused) == 0 {
		return nil, err
	}
	if _, err := tx.ExecContext(ctx, "SAVEPOINT parking"); err != nil {
		return nil, fmt.Errorf("before parking: %w", err)
	}
	err = o.parkRefused(ctx, tx, settled.refused)
	if err == nil || o.database.dialect.Classify(err) != Permanent {
		return nil, err
	}
	if _, undoErr := tx.ExecContext(ctx, "ROLLBACK TO SAVEPOINT parking"); undoErr != nil {
		return nil, errors.Join(err, undoErr)
	}
	return err, nil
}

// batch is what one Drain took.
type batch struct {
	ids      []int64
	messages []outbox.Message
	broken   []refusal // rows that cannot be decoded, which nobody can publish
}

func (b batch) taken() int { return len(b.ids) + len(b.broken) }

type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func (o *Outbox) takeBatch(ctx context.Context, from queryer, limit int) (batch, error) {
	var b batch
	rows, err := from.QueryContext(ctx, o.take, limit)
	if err != nil {
		return batch{}, fmt.Errorf("take messages: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var r row
		if err := rows.Scan(r.fields(&id)...); err != nil {
			return batch{}, fmt.Errorf("take messages: %w", err)
		}
		msg, err := r.decode(ctx)
		if err != nil {
			b.broken = append(b.broken, refusal{id, &cqrsfeed.RefusedError{Message: msg.Message, Reason: err}})
			continue
		}
		b.ids = append(b.ids, id)
		b.messages = append(b.messages, msg)
	}
	if err := rows.Err(); err != nil {
		return batch{}, fmt.Errorf("take messages: %w", err)
	}
	return b, nil
}

// settlement is what became of a batch, apart from what stays in the queue.
type settlement struct {
	acknowledged []int64
	refused      []refusal
}

func (s settlement) empty() bool { return len(s.acknowledged) == 0 && len(s.refused) == 0 }

// publish returns which messages were acknowledged and which were refused, or cannot even be published.
func (b batch) publish(ctx context.Context, publish outbox.PublishFunc) (settlement, error) {
	settled := settlement{refused: b.broken}
	if len(b.ids) == 0 {
		return settled, nil
	}
	errs := publish(ctx, b.messages)
	if len(errs) != len(b.ids) {
		return settlement{}, Stop(fmt.Errorf("publish gave %d results for %d messages", len(errs), len(b.ids)))
	}
	for i, err := range errs {
		if err == nil {
			settled.acknowledged = append(settled.acknowledged, b.ids[i])
		} else if why, ok := errors.AsType[*cqrsfeed.RefusedError](err); ok {
			settled.refused = append(settled.refused, refusal{b.ids[i], why})
		}
	}
	return settled, nil
}

// removeIDs writes the numbers into the statement: a prepared one would cost another round trip.
func (o *Outbox) removeIDs(ctx context.Context, tx Execer, table string, ids []int64) error {
	for chunk := range slices.Chunk(ids, maxRemoveIDs) {
		statement := o.database.dialect.DeleteIDs(o.database.dialect.Quote(table), joinIDs(chunk))
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("remove %d messages from table %s: %w", len(ids), table, err)
		}
	}
	return nil
}
