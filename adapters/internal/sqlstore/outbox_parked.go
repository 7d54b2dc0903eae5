package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/internal/reason"
)

const (
	messageColumns = "id, uuid, topic, metadata, payload, created_at"
	parkedColumns  = messageColumns + ", reason, attempts, parked_at"
)

// parkedStatements are the statements on the table of parked messages.
type parkedStatements struct{ park, list, lock, unpark string }

// newParkedStatements returns the statements; %s stands for a list of ids, which need no quoting.
func newParkedStatements(queue, parked string, dialect Dialect) parkedStatements {
	return parkedStatements{
		park:   "INSERT INTO " + parked + " (" + parkedColumns + ") SELECT " + messageColumns + ", ?, ?, ? FROM " + queue + " WHERE id = ?",
		list:   "SELECT " + parkedColumns + " FROM " + parked + " WHERE id > ? ORDER BY id LIMIT ?",
		lock:   "SELECT id FROM " + parked + " WHERE id IN (%s)" + dialect.LockRow,
		unpark: "INSERT INTO " + queue + " (" + messageColumns + ") SELECT " + messageColumns + " FROM " + parked + " WHERE id IN (%s)",
	}
}

// refusal is a message that leaves the queue without having been published.
type refusal struct {
	id       int64
	reason   error
	attempts int
}

// park moves messages to the table of parked ones. A message that is no longer in the queue, because another process
// settled it, is passed over.
func (o *Outbox) park(ctx context.Context, tx execer, refused []refusal) error {
	now := time.Now().UnixMicro()
	ids := make([]int64, len(refused))
	for i, r := range refused {
		ids[i] = r.id
		if _, err := tx.ExecContext(ctx, o.parked.park, reason.Text(r.reason), max(1, r.attempts), now, r.id); err != nil {
			return fmt.Errorf("park message %d (does EnsureSchema run at start?): %w", r.id, err)
		}
	}
	return o.removeIDs(ctx, tx, o.table, ids)
}

// Parked implements outbox.Operations.
func (o *Outbox) Parked(ctx context.Context, after string, limit int) ([]outbox.ParkedMessage, error) {
	var from int64
	if after != "" {
		ids, err := parseIDs([]string{after})
		if err != nil {
			return nil, o.wrap("list parked messages of", err)
		}
		from = ids[0]
	}
	var messages []outbox.ParkedMessage
	err := o.database.Retry(ctx, func() (err error) {
		messages, err = o.listParked(ctx, from, driver.PageLimit(limit))
		return err
	})
	if err != nil {
		return nil, o.wrap("list parked messages of", err)
	}
	return messages, nil
}

func (o *Outbox) listParked(ctx context.Context, after int64, limit int) ([]outbox.ParkedMessage, error) {
	rows, err := o.database.db.QueryContext(ctx, o.parked.list, after, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var messages []outbox.ParkedMessage
	for rows.Next() {
		var r row
		var m outbox.ParkedMessage
		var id, parkedAt int64
		if err := rows.Scan(append(r.fields(&id), &m.Reason, &m.Attempts, &parkedAt)...); err != nil {
			return nil, err
		}
		stored, _ := r.decode(ctx) // the reason reports what cannot be decoded
		m.Topic, m.Message, m.AddedAt = stored.Topic, stored.Message, stored.AddedAt
		m.ID, m.ParkedAt = strconv.FormatInt(id, 10), time.UnixMicro(parkedAt).UTC()
		messages = append(messages, m)
	}
	return messages, rows.Err()
}

// Unpark implements outbox.Operations, in one transaction.
func (o *Outbox) Unpark(ctx context.Context, ids ...string) (int, error) {
	returned, err := o.settleParked(ctx, ids, func(ctx context.Context, tx *sql.Conn, list string) error {
		if _, err := tx.ExecContext(ctx, fmt.Sprintf(o.parked.unpark, list)); err != nil {
			return fmt.Errorf("insert rows: %w", err)
		}
		return nil
	})
	if returned > 0 || errors.Is(err, cqrsfeed.ErrUnknownOutcome) {
		o.Committed()
	}
	return returned, o.wrap("unpark messages of", err)
}

// Discard implements outbox.Operations, in one transaction.
func (o *Outbox) Discard(ctx context.Context, ids ...string) (int, error) {
	discarded, err := o.settleParked(ctx, ids, func(context.Context, *sql.Conn, string) error { return nil })
	return discarded, o.wrap("discard parked messages of", err)
}

// settleParked deletes messages from the table of parked ones, after passing their ids to first.
func (o *Outbox) settleParked(
	ctx context.Context, ids []string, first func(ctx context.Context, tx *sql.Conn, list string) error,
) (int, error) {
	numbers, err := parseIDs(ids)
	if err != nil || len(numbers) == 0 {
		return 0, err
	}
	settled := 0
	err = o.database.change(ctx, o.database.dialect.beginDrain(), func(tx *sql.Conn) error {
		settled = 0
		for chunk := range slices.Chunk(numbers, maxRemoveIDs) {
			found, err := queryIDs(ctx, tx, fmt.Sprintf(o.parked.lock, joinIDs(chunk)))
			if err != nil {
				return fmt.Errorf("lock rows: %w", err)
			}
			if len(found) == 0 {
				continue
			}
			if err := first(ctx, tx, joinIDs(found)); err != nil {
				return err
			}
			if err := o.removeIDs(ctx, tx, o.table+parkedSuffix, found); err != nil {
				return err
			}
			settled += len(found)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return settled, nil
}

// parseIDs parses the ids of parked messages. It returns each once, in ascending order, so that all callers lock in the same
// order.
func parseIDs(ids []string) ([]int64, error) {
	numbers := make([]int64, len(ids))
	for i, id := range ids {
		number, err := strconv.ParseInt(id, 10, 64)
		if err != nil || number < 1 {
			return nil, fmt.Errorf("%w: %q is not the ID of a parked message", cqrsfeed.ErrInvalid, id)
		}
		numbers[i] = number
	}
	slices.Sort(numbers)
	return slices.Compact(numbers), nil
}

func joinIDs(ids []int64) string {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = strconv.FormatInt(id, 10)
	}
	return strings.Join(list, ",")
}
