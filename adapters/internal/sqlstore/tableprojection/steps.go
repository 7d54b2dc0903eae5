package tableprojection

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

// errNoLock is returned if the projection's lock does not exist yet.
var errNoLock = errors.New("the projection has no lock")

// transact runs body in a transaction that holds the projection's lock. It wakes the relay, because a step may add
// messages to the outbox. After a commit with an unknown outcome it tries again, which is safe because the applied
// states are recorded.
func (p *Projection[T]) transact(ctx context.Context, body func(tx *sql.Tx) error) error {
	try := func() error {
		_, err := p.database.InTx(ctx, func(tx *sql.Tx) error {
			if err := p.lock(ctx, p.database.Tx(tx)); err != nil {
				return err
			}
			return body(tx)
		})
		return err
	}
	err := p.database.Retry(ctx, try)
	if errors.Is(err, errNoLock) {
		if err := p.makeLock(ctx); err != nil {
			return err
		}
		err = p.database.Retry(ctx, try)
	}
	p.outbox.Committed()
	return err
}

// lock excludes other transactions of the projection until the commit. It is the first statement, so that all later
// ones see everything that was committed before.
func (p *Projection[T]) lock(ctx context.Context, tx sqldb.Execer) error {
	result, err := tx.ExecContext(ctx, p.sql.lock)
	if err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	if locked, err := result.RowsAffected(); err != nil || locked == 0 {
		return errors.Join(err, errNoLock)
	}
	return nil
}

// makeLock inserts the row that lock locks. Another process may have inserted it already.
func (p *Projection[T]) makeLock(ctx context.Context) error {
	err := p.database.Retry(ctx, func() error {
		_, err := p.database.DB.ExecContext(ctx, p.sql.insert+sqldb.NewItem, "", 0, "", 0, 0, false)
		return err
	})
	if err != nil && p.database.Dialect.Classify(err) != sqldb.Duplicate {
		return fmt.Errorf("create the lock: %w", err)
	}
	return nil
}

// applied is the recorded state of an item.
type applied struct {
	id                   string
	version              int64
	body                 string // "" if deleted or withheld
	createdAt, updatedAt int64
	deleted              bool
}

// withheld reports that the version was refused, so that the item is not in the tables: see cqrsfeed.FeedChange.
func (a applied) withheld() bool { return a.version > 0 && !a.deleted && a.body == "" }

func scanApplied(row sqldb.Scanner) (a applied, err error) {
	err = row.Scan(&a.id, &a.version, &a.body, &a.createdAt, &a.updatedAt, &a.deleted)
	return a, err
}

// errUnreadable is returned if a step cannot begin, because the last applied state cannot be decoded.
var errUnreadable = errors.New("the last applied state cannot be decoded; if that persists, Clear and rebuild the projection")

// before returns the state that a step begins with, nil for none.
func before[T any](a applied) (*cqrsfeed.Item[T], error) {
	if a.version == 0 || a.deleted || a.withheld() {
		return nil, nil
	}
	item := cqrsfeed.Item[T]{
		ID: a.id, Version: a.version, Encoded: json.RawMessage(a.body),
		CreatedAt: time.UnixMicro(a.createdAt).UTC(), UpdatedAt: time.UnixMicro(a.updatedAt).UTC(),
	}
	if err := item.DecodeBody(); err != nil {
		return nil, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	return &item, nil
}

// remembered returns the state to record, which follows from; from is nil for none. In the body it changes only the
// fields that this release knows, as Step does in the tables. Fields of another release that were counted stay, and
// fields that were not counted are left out. The next step of that release would otherwise lose them or subtract them.
func (n next[T]) remembered(from *cqrsfeed.Item[T]) (applied, error) {
	a := applied{
		id: n.item.ID, version: n.item.Version, deleted: n.item.Deleted,
		createdAt: n.item.CreatedAt.UnixMicro(), updatedAt: n.item.UpdatedAt.UnixMicro(),
	}
	if n.hidden() {
		return a, nil
	}
	item := n.item
	item.Encoded = nil
	var err error
	if item.Encoded, err = item.EncodedBody(); err == nil && from != nil {
		item, err = driver.Remember(*from, item)
	}
	a.body = string(item.Encoded)
	return a, err
}

// next is a state that an item is to have.
type next[T any] struct {
	item     cqrsfeed.Item[T]
	withheld bool // the version is refused, so the item leaves the tables
	// seen is the version that must have been applied last, for a repair. Other states need an older one.
	seen   int64
	repair bool
	forget bool // instead of remembering the item
}

func (n next[T]) hidden() bool { return n.item.Deleted || n.withheld }

// due reports whether the state follows the one that was applied last. A withheld version is older than the same version
// when it is accepted.
func (n next[T]) due(last applied) bool {
	if n.repair {
		return last.version == n.seen
	}
	return last.version < n.item.Version || last.version == n.item.Version && last.withheld() && !n.withheld
}

// newestStates returns the newest state of each item, and its index in all, in the order of all.
func newestStates[T any](all []next[T]) (states []next[T], at []int) {
	newest := make(map[string]int, len(all))
	for i, state := range all {
		last, known := newest[state.item.ID]
		version := all[last].item.Version
		if !known || state.item.Version > version || state.item.Version == version && all[last].withheld && !state.withheld {
			newest[state.item.ID] = i
		}
	}
	at = slices.Sorted(maps.Values(newest))
	for _, i := range at {
		states = append(states, all[i])
	}
	return states, at
}

// stepError says which of several states could not be applied.
type stepError struct {
	state int
	error
}

func (e *stepError) Unwrap() error { return e.error }

// advance makes the due steps to states of different items, in one transaction. It reports whether any was due.
func (p *Projection[T]) advance(ctx context.Context, states []next[T]) (advanced bool, err error) {
	if len(states) == 0 {
		return false, nil
	}
	err = p.transact(ctx, func(tx *sql.Tx) error {
		ids := make([]any, len(states))
		for i, state := range states {
			ids[i] = state.item.ID
		}
		last, err := p.read(ctx, p.database.Tx(tx), ids)
		if err != nil {
			return err
		}
		var outdated []any
		var rows []applied
		for i, state := range states {
			was := last[state.item.ID]
			if !state.due(was) {
				continue
			}
			advanced = true // also if the commit is lost, and the next try finds nothing that is due
			row, err := p.takeStep(ctx, tx, was, state)
			if err != nil {
				return &stepError{i, fmt.Errorf("item %q version %d: %w", state.item.ID, state.item.Version, err)}
			}
			if was.version > 0 {
				outdated = append(outdated, was.id)
			}
			if !state.forget {
				rows = append(rows, row)
			}
		}
		return p.remember(ctx, p.database.Tx(tx), outdated, rows)
	})
	return advanced, err
}

// takeStep calls Step, and returns the state to record.
func (p *Projection[T]) takeStep(ctx context.Context, tx *sql.Tx, was applied, state next[T]) (applied, error) {
	from, err := before[T](was)
	if err != nil {
		return applied{}, err
	}
	row, err := state.remembered(from)
	if err != nil {
		return row, &cqrsfeed.RefusedError{Reason: err}
	}
	var to *cqrsfeed.Item[T]
	if !state.hidden() {
		to = &state.item
	}
	if from == nil && to == nil {
		return row, nil
	}
	return row, p.step(ctx, tx, from, to)
}

// read returns the recorded states of items.
func (p *Projection[T]) read(ctx context.Context, from sqldb.Querier, ids []any) (map[string]applied, error) {
	found := make(map[string]applied, len(ids))
	for len(ids) > 0 {
		n := min(len(ids), sqldb.MaxInsertRows)
		rows, err := sqldb.Query(ctx, from, p.sql.read+"("+sqldb.Commas("?", n)+")", ids[:n], scanApplied)
		if err != nil {
			return nil, fmt.Errorf("read applied items: %w", err)
		}
		for _, row := range rows {
			found[row.id] = row
		}
		ids = ids[n:]
	}
	return found, nil
}

// remember replaces the rows of outdated items.
func (p *Projection[T]) remember(ctx context.Context, tx sqldb.Execer, outdated []any, rows []applied) error {
	for len(outdated) > 0 {
		n := min(len(outdated), sqldb.MaxInsertRows)
		if _, err := tx.ExecContext(ctx, p.sql.delete+"("+sqldb.Commas("?", n)+")", outdated[:n]...); err != nil {
			return fmt.Errorf("record applied items: %w", err)
		}
		outdated = outdated[n:]
	}
	for len(rows) > 0 {
		n := sqldb.InsertLength(len(rows), func(i int) int { return len(rows[i].body) })
		var args []any
		for _, r := range rows[:n] {
			args = append(args, r.id, r.version, r.body, r.createdAt, r.updatedAt, r.deleted)
		}
		if _, err := tx.ExecContext(ctx, p.sql.insert+sqldb.Commas(sqldb.NewItem, n), args...); err != nil {
			return fmt.Errorf("record applied items: %w", err)
		}
		rows = rows[n:]
	}
	return nil
}
