package postgresstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/feedstore"
	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
)

// errRaced is returned if another transaction has inserted an item since it was found to be missing. The next try locks it.
var errRaced = errors.New("another transaction has inserted the item")

// ReadRecords implements feedstore.Access.
func (t *feedTables[T]) ReadRecords(ctx context.Context, tx *sqldb.Conn, ids []string) ([]feedstore.Record, error) {
	records, byID := make([]feedstore.Record, len(ids)), make(map[string]*feedstore.Record, len(ids))
	for i, id := range ids {
		records[i].ID = id
		byID[id] = &records[i]
	}
	found, err := sqldb.Query(ctx, tx, t.lockItems, []any{ids}, scanRecord)
	if err != nil || len(found) == 0 {
		return records, err
	}
	for _, r := range found {
		*byID[r.ID] = r
	}
	// A statement of its own: its snapshot has what the others wrote for whom the first one waited.
	entries, err := sqldb.Query(ctx, tx, t.readEntries, []any{ids}, func(row sqldb.Scanner) (e feedstore.Entry, err error) {
		err = row.Scan(&e.Feed, &e.CreatedAt, &e.Item)
		return e, err
	})
	if err != nil {
		return nil, fmt.Errorf("read entries: %w", err)
	}
	for _, e := range entries {
		byID[e.Item].Entries = append(byID[e.Item].Entries, e)
	}
	return records, nil
}

func scanRecord(row sqldb.Scanner) (feedstore.Record, error) {
	r := feedstore.Record{Known: true}
	var past []byte
	err := row.Scan(&r.ID, &r.State.Version, &r.State.Rule, &r.State.Withheld, &r.CreatedAt, &r.Live, &past)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(past, &r.Past); err != nil {
		return r, fmt.Errorf("decode past feeds of item %q: %w", r.ID, err)
	}
	return r, nil
}

// WriteChanges implements feedstore.Access by one statement for each kind of change.
func (t *feedTables[T]) WriteChanges(ctx context.Context, tx *sqldb.Conn, changes *feedstore.Changes) error {
	for _, step := range []struct {
		what, statement string
		rows            int
		args            []any
	}{
		{"insert items", t.insertItems, len(changes.Inserted), stateColumns(changes.Inserted)},
		{"update items", t.updateItems, len(changes.Updated), stateColumns(changes.Updated)},
		{"delete items", t.deleteItems, len(changes.Forgotten), []any{changes.Forgotten}},
		{"delete entries", t.deleteEntries, len(changes.Displaced), entryColumns(changes.Displaced)},
		{"insert entries", t.insertEntries, len(changes.Placed), entryColumns(changes.Placed)},
	} {
		if step.rows == 0 {
			continue
		}
		done, err := tx.ExecContext(ctx, step.statement, step.args...)
		if err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
		if rows, err := done.RowsAffected(); err != nil || step.statement == t.insertItems && rows < int64(step.rows) {
			return errors.Join(err, errRaced)
		}
	}
	if len(changes.Feeds) == 0 {
		return nil
	}
	return t.writeFeeds(ctx, tx, changes)
}

func (t *feedTables[T]) writeFeeds(ctx context.Context, tx *sqldb.Conn, changes *feedstore.Changes) error {
	feeds := slices.Sorted(maps.Keys(changes.Feeds))
	statement, args := t.changeFeeds, []any{time.Now().UnixMicro(), feeds}
	if changes.Recount {
		if _, err := tx.ExecContext(ctx, t.lockCounts, t.feeds); err != nil {
			return fmt.Errorf("wait for other recounts: %w", err)
		}
		statement = t.recountFeeds
	} else {
		args = append(args, column(feeds, func(feed string) int64 { return changes.Feeds[feed] }))
	}
	if _, err := tx.ExecContext(ctx, statement, args...); err != nil {
		return fmt.Errorf("change %d feeds: %w", len(feeds), err)
	}
	return nil
}

// ForgetFeeds implements feedstore.Access.
func (t *feedTables[T]) ForgetFeeds(ctx context.Context, tx *sqldb.Conn, since int64) (forgotten int64, err error) {
	err = tx.QueryRowContext(ctx, t.forgetFeeds, since).Scan(&forgotten)
	return forgotten, err
}

// stateColumns are the columns of the items to write.
func stateColumns(states []feedstore.State) []any {
	return []any{
		column(states, func(s feedstore.State) string { return s.ID }),
		column(states, func(s feedstore.State) int64 { return s.Version }),
		column(states, func(s feedstore.State) int64 { return s.Rule }),
		column(states, func(s feedstore.State) bool { return s.Withheld }),
		column(states, func(s feedstore.State) int64 { return s.CreatedAt }),
		column(states, func(s feedstore.State) int64 { return s.UpdatedAt }),
		column(states, func(s feedstore.State) []byte { return s.Body }),
		column(states, func(s feedstore.State) string { return s.Past }),
	}
}

// entryColumns are the columns of the entries to write.
func entryColumns(entries []feedstore.Entry) []any {
	return []any{
		column(entries, func(e feedstore.Entry) string { return e.Feed }),
		column(entries, func(e feedstore.Entry) int64 { return e.CreatedAt }),
		column(entries, func(e feedstore.Entry) string { return e.Item }),
	}
}

// column returns a column of rows.
func column[R, V any](rows []R, of func(R) V) []V {
	values := make([]V, len(rows))
	for i, row := range rows {
		values[i] = of(row)
	}
	return values
}
