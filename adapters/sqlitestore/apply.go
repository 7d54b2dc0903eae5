package sqlitestore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/feedstore"
	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
)

// ReadRecords implements feedstore.Access. The transaction has the lock of the writer.
func (t *feedTables[T]) ReadRecords(ctx context.Context, tx *sqldb.Conn, ids []string) ([]feedstore.Record, error) {
	statements := &statements{from: tx.Conn}
	defer statements.close()
	records := make([]feedstore.Record, len(ids))
	for i, id := range ids {
		var err error
		if records[i], err = t.readRecord(ctx, statements, id); err != nil {
			return nil, fmt.Errorf("item %q: %w", id, err)
		}
	}
	return records, nil
}

func (t *feedTables[T]) readRecord(ctx context.Context, statements *statements, id string) (feedstore.Record, error) {
	r := feedstore.Record{ID: id}
	var past string
	columns := []any{&r.Row, &r.State.Version, &r.State.Rule, &r.State.Withheld, &r.CreatedAt, &r.Live, &past}
	err := statements.queryRow(ctx, t.selectItem, columns, id)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return r, err
	}
	if r.Known = err == nil; r.Known {
		if err := json.Unmarshal([]byte(past), &r.Past); err != nil {
			return r, fmt.Errorf("decode past feeds: %w", err)
		}
	}
	r.Entries, err = statements.queryEntries(ctx, t.selectEntries, id)
	return r, err
}

// WriteChanges implements feedstore.Access.
func (t *feedTables[T]) WriteChanges(ctx context.Context, tx *sqldb.Conn, changes *feedstore.Changes) error {
	statements := &statements{from: tx.Conn}
	defer statements.close()
	rows := map[string]int64{} // by item
	for _, state := range append(changes.Inserted, changes.Updated...) {
		row, err := t.writeState(ctx, statements, state)
		if err != nil {
			return fmt.Errorf("item %q version %d: %w", state.ID, state.Version, err)
		}
		rows[state.ID] = row
	}
	for _, id := range changes.Forgotten {
		if err := statements.exec(ctx, t.deleteItem, id); err != nil {
			return fmt.Errorf("delete item %q: %w", id, err)
		}
	}
	for _, e := range changes.Displaced {
		if err := statements.exec(ctx, t.deleteEntry, e.Feed, e.CreatedAt, e.Item); err != nil {
			return fmt.Errorf("delete item %q from feed %q: %w", e.Item, e.Feed, err)
		}
	}
	for _, e := range changes.Placed {
		if err := statements.exec(ctx, t.insertEntry, e.Feed, e.CreatedAt, e.Item, rows[e.Item]); err != nil {
			return fmt.Errorf("insert item %q into feed %q: %w", e.Item, e.Feed, err)
		}
	}
	now := time.Now().UnixMicro()
	for feed, growth := range changes.Feeds {
		statement, args := t.changeFeed, []any{feed, now, growth}
		if changes.Recount {
			statement, args = t.recountFeed, args[:2]
		}
		if err := statements.exec(ctx, statement, args...); err != nil {
			return fmt.Errorf("change feed %q: %w", feed, err)
		}
	}
	return nil
}

// writeState returns the number of the item's row.
func (t *feedTables[T]) writeState(ctx context.Context, statements *statements, state feedstore.State) (row int64, err error) {
	var body any
	if state.Body != nil {
		body = string(state.Body)
	}
	err = statements.queryRow(ctx, t.upsertItem, []any{&row},
		state.ID, state.Version, state.Rule, state.Withheld, state.CreatedAt, state.UpdatedAt, body, state.Past)
	return row, err
}

// ForgetFeeds implements feedstore.Access.
func (t *feedTables[T]) ForgetFeeds(ctx context.Context, tx *sqldb.Conn, since int64) (int64, error) {
	result, err := tx.ExecContext(ctx, t.forgetFeeds, since)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}
