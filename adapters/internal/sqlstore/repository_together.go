package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/groupcommit"
	"github.com/feedmill/feedmill/cqrsfeed"
)

const (
	// sharedTimeout bounds a transaction that several callers share, with all its tries up to the commit. Their own
	// contexts cannot bound it.
	sharedTimeout = 5 * time.Second
	// sharedTries is how often such a transaction is tried before each of its items is created alone.
	sharedTries = 3
)

// groupConfig has items that are created at the same moment share transactions.
func (r *Repository[T]) groupConfig() groupcommit.Config[*newRow] {
	return groupcommit.Config[*newRow]{
		Slots: r.database.dialect.creationsAtOnce(),
		Share: r.createTogether,
		Fit: func(rows []*newRow) int {
			return insertLength(len(rows), func(i int) int { return len(rows[i].body) + len(rows[i].event.Payload) })
		},
	}
}

// createTogether creates items in one transaction and returns their results. An item whose id is taken is left out; the
// others do not fail for it.
func (r *Repository[T]) createTogether(take func() []*newRow) []error {
	conn, leave, err := r.database.enter(context.Background()) // callers can give up until take is called
	ctx, cancel := context.WithTimeout(context.Background(), sharedTimeout)
	defer cancel()
	for tries := 1; ; tries++ {
		var results []error
		if err == nil {
			results, err = r.tryTogether(ctx, conn, leave, take)
		}
		if err == nil || errors.Is(err, cqrsfeed.ErrUnknownOutcome) {
			r.outbox.Committed()
			return withOutcome(results, err)
		}
		// The next try finds an id that somebody took between the search for taken ones and the INSERT.
		if tries == sharedTries || !r.database.mayPass(err) && r.database.dialect.Classify(err) != Duplicate {
			return nil // it was rolled back, or never began: each of them alone
		}
		conn, leave, err = r.database.enter(ctx)
	}
}

// withOutcome gives the outcome of the transaction to the items that were not left out of it.
func withOutcome(results []error, outcome error) []error {
	for i, result := range results {
		if result == nil {
			results[i] = outcome
		}
	}
	return results
}

// tryTogether makes one try. The results are ErrAlone for the items that were left out, and nil for the others.
func (r *Repository[T]) tryTogether(
	ctx context.Context, conn *sql.Conn, leave func(), take func() []*newRow,
) (results []error, err error) {
	defer leave()
	err = r.database.transactOn(ctx, conn, r.database.dialect.beginShared(), func(tx *sql.Conn) error {
		rows := take()
		if len(rows) == 0 {
			return errNobody
		}
		taken, err := r.takenIDs(ctx, tx, rows)
		if err != nil {
			return err
		}
		results = make([]error, len(rows))
		var free []*newRow
		for i, row := range rows {
			if taken[row.id] {
				results[i] = groupcommit.ErrAlone
				continue
			}
			taken[row.id] = true // by this one, for others of the group
			free = append(free, row)
		}
		return r.insertAll(ctx, tx, free)
	})
	return results, err
}

// errNobody ends a shared transaction when all who waited for it gave up.
var errNobody = errors.New("nobody waits")

// takenIDs returns the ids that are taken, or may be: an INSERT would wait for a transaction that has inserted one and not
// committed, and everybody would wait with it. Where writers do not keep each other out, beginShared makes uncommitted rows
// visible.
func (r *Repository[T]) takenIDs(ctx context.Context, tx *sql.Conn, rows []*newRow) (map[string]bool, error) {
	ids := make([]any, len(rows))
	for i, row := range rows {
		ids[i] = row.id
	}
	found, err := tx.QueryContext(ctx, r.exist+"("+commas("?", len(ids))+")", ids...)
	if err != nil {
		return nil, fmt.Errorf("look for rows: %w", err)
	}
	defer found.Close()
	taken := make(map[string]bool)
	for found.Next() {
		var id string
		if err := found.Scan(&id); err != nil {
			return nil, fmt.Errorf("look for rows: %w", err)
		}
		taken[id] = true
	}
	return taken, found.Err()
}

// insertAll inserts rows and their events. They are sorted by id, so that two transactions that have ids in common do not
// wait for each other.
func (r *Repository[T]) insertAll(ctx context.Context, tx *sql.Conn, rows []*newRow) error {
	if len(rows) == 0 {
		return nil
	}
	slices.SortFunc(rows, func(a, b *newRow) int { return strings.Compare(a.id, b.id) })
	var args []any
	var events []*message.Message
	for _, row := range rows {
		args = append(args, row.columns()...)
		events = append(events, row.event)
	}
	if _, err := tx.ExecContext(ctx, r.insert+commas(newRowValues, len(rows)), args...); err != nil {
		return fmt.Errorf("insert %d rows: %w", len(rows), err)
	}
	return r.outbox.add(ctx, tx, r.topics.Created, events...)
}
