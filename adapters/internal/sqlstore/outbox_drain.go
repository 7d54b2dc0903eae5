package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// removeTimeout bounds the deletion of what the broker has. It goes on when the caller's context ended in
// between, because the messages would be published a second time otherwise.
const removeTimeout = 10 * time.Second

// maxRemoveIDs keeps a DELETE short.
const maxRemoveIDs = 1000

// Drain implements cqrsfeed.Outbox.
func (o *Outbox) Drain(ctx context.Context, limit int, publish cqrsfeed.PublishFunc) (int, error) {
	if limit < 1 {
		return 0, fmt.Errorf("%s: drain outbox %s: %w: limit %d is not positive",
			o.database.dialect.Name, o.table, cqrsfeed.ErrInvalid, limit)
	}
	drain := o.drainLocked
	if o.database.dialect.SkipLocked == "" {
		drain = o.drainUnlocked
	}
	taken, err := drain(ctx, limit, publish)
	if err != nil {
		return taken, fmt.Errorf("%s: drain outbox %s: %w", o.database.dialect.Name, o.table, err)
	}
	return taken, nil
}

// drainLocked keeps the rows locked while they are being published: other relays pass over them.
func (o *Outbox) drainLocked(ctx context.Context, limit int, publish cqrsfeed.PublishFunc) (taken int, err error) {
	err = o.database.transact(ctx, o.database.dialect.BeginDrain, func(tx *sql.Conn) error {
		batch, err := o.takeBatch(ctx, tx, limit)
		if err != nil || len(batch.ids) == 0 {
			return err
		}
		taken = len(batch.ids)
		acknowledged, err := batch.publish(ctx, publish)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
		defer cancel()
		return o.removeIDs(ctx, tx, acknowledged)
	})
	return taken, err
}

// drainUnlocked holds no transaction while it publishes, because that would keep every writer waiting for
// the broker. Relays of this process take turns; another process may publish the same messages.
func (o *Outbox) drainUnlocked(ctx context.Context, limit int, publish cqrsfeed.PublishFunc) (int, error) {
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
	if err != nil || len(batch.ids) == 0 {
		return 0, err
	}
	acknowledged, err := batch.publish(ctx, publish)
	if err != nil || len(acknowledged) == 0 {
		return len(batch.ids), err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	return len(batch.ids), o.database.Change(ctx, func(tx *sql.Conn) error {
		return o.removeIDs(ctx, tx, acknowledged)
	})
}

// batch is what one Drain took.
type batch struct {
	ids      []int64
	messages []cqrsfeed.OutboxMessage
}

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
		var topic string
		var r row
		if err := rows.Scan(&id, &r.uuid, &topic, &r.metadata, &r.payload); err != nil {
			return batch{}, fmt.Errorf("take messages: %w", err)
		}
		msg, err := r.decode(ctx)
		if err != nil {
			return batch{}, fmt.Errorf("row %d: %w", id, err)
		}
		b.ids = append(b.ids, id)
		b.messages = append(b.messages, cqrsfeed.OutboxMessage{Topic: topic, Message: msg})
	}
	if err := rows.Err(); err != nil {
		return batch{}, fmt.Errorf("take messages: %w", err)
	}
	return b, nil
}

// publish returns the ids of the messages that were acknowledged.
func (b batch) publish(ctx context.Context, publish cqrsfeed.PublishFunc) ([]int64, error) {
	errs := publish(ctx, b.messages)
	if len(errs) != len(b.ids) {
		return nil, Stop(fmt.Errorf("publish gave %d results for %d messages", len(errs), len(b.ids)))
	}
	var acknowledged []int64
	for i, err := range errs {
		if err == nil {
			acknowledged = append(acknowledged, b.ids[i])
		}
	}
	return acknowledged, nil
}

// removeIDs writes the numbers into the statement: a prepared one would cost another round trip.
func (o *Outbox) removeIDs(ctx context.Context, tx Execer, ids []int64) error {
	for chunk := range slices.Chunk(ids, maxRemoveIDs) {
		list := make([]string, len(chunk))
		for i, id := range chunk {
			list[i] = strconv.FormatInt(id, 10)
		}
		statement := o.database.dialect.DeleteIDs(o.database.dialect.Quote(o.table), strings.Join(list, ","))
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("remove %d published messages: %w", len(ids), err)
		}
	}
	return nil
}
