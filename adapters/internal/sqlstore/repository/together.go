package repository

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/groupcommit"
	"github.com/feedmill/feedmill/adapters/internal/sqlstore/outbox"
	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed"
)

const (
	// sharedTimeout limits a transaction that several callers share, with all its tries up to the commit. The callers'
	// own contexts cannot limit it.
	sharedTimeout = 5 * time.Second
	// sharedTries is the number of tries of such a transaction before each of its items is created alone.
	sharedTries = 3
)

// groupConfig lets items that are created concurrently share transactions.
func (r *Repository[T]) groupConfig() groupcommit.Config[*newRow] {
	slots := 4
	if r.database.Dialect.OneWriter {
		slots = 1
	}
	return groupcommit.Config[*newRow]{
		Slots: slots,
		Share: r.createTogether,
		Fit: func(rows []*newRow) int {
			return sqldb.InsertLength(len(rows), func(i int) int { return len(rows[i].body) + len(rows[i].event.Payload) })
		},
	}
}

// createTogether creates items in one transaction and returns their results. It leaves out an item whose id is taken,
// so that the others do not fail.
func (r *Repository[T]) createTogether(take func() []*newRow) []error {
	conn, leave, err := r.database.Enter(context.Background()) // callers can give up until take is called
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
		// The next try finds an id that was taken between the search for taken ids and the INSERT.
		if tries == sharedTries || !r.database.MayPass(err) && r.database.Dialect.Classify(err) != sqldb.Duplicate {
			return nil // it was rolled back, or never began: each of them alone
		}
		conn, leave, err = r.database.Enter(ctx)
	}
}

// withOutcome sets the outcome of the transaction as the result of all items in it.
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
	ctx context.Context, conn *sqldb.Conn, leave func(), take func() []*newRow,
) (results []error, err error) {
	defer leave()
	err = r.database.TransactOn(ctx, conn, r.database.Dialect.BeginShared, func(tx *sqldb.Conn) error {
		rows := take()
		if len(rows) == 0 {
			return errNobody
		}
		free, taken, err := r.freeRows(ctx, tx, rows)
		if err != nil {
			return err
		}
		results = make([]error, len(rows))
		for _, i := range taken {
			results[i] = groupcommit.ErrAlone
		}
		return r.insertAll(ctx, tx, free)
	})
	return results, err
}

// errNobody ends a shared transaction if all callers that waited for it have given up.
var errNobody = errors.New("nobody waits")

// freeRows returns the rows whose ids are free, and the indexes of the others. Of rows with the same id the first is free.
//
// In a shared transaction it sees an id that another transaction has inserted and not committed: by BeginShared, if
// writers do not exclude each other. An INSERT would wait for that transaction, and all callers would wait with it.
func (r *Repository[T]) freeRows(ctx context.Context, tx *sqldb.Conn, rows []*newRow) (free []*newRow, taken []int, err error) {
	ids := make([]any, len(rows))
	for i, row := range rows {
		ids[i] = row.id
	}
	found, err := sqldb.Query(ctx, tx, r.exist+"("+sqldb.Commas("?", len(ids))+")", ids, sqldb.ScanID)
	if err != nil {
		return nil, nil, fmt.Errorf("look for rows: %w", err)
	}
	exist := make(map[string]bool, len(found))
	for _, id := range found {
		exist[id] = true
	}
	for i, row := range rows {
		if exist[row.id] {
			taken = append(taken, i)
			continue
		}
		exist[row.id] = true
		free = append(free, row)
	}
	return free, taken, nil
}

// insertAll inserts rows and their events.
func (r *Repository[T]) insertAll(ctx context.Context, tx *sqldb.Conn, rows []*newRow) error {
	if err := r.insertItems(ctx, tx, rows); err != nil || len(rows) == 0 {
		return err
	}
	events := make([]*message.Message, len(rows))
	for i, row := range rows {
		events[i] = row.event
	}
	return outbox.InsertEach(ctx, r.outbox, tx, func(i int) string { return r.topics.Of(rows[i].id).Created }, events...)
}

// insertItems inserts rows. It sorts them by id, so that two transactions with common ids cannot deadlock.
func (r *Repository[T]) insertItems(ctx context.Context, tx *sqldb.Conn, rows []*newRow) error {
	if len(rows) == 0 {
		return nil
	}
	slices.SortStableFunc(rows, func(a, b *newRow) int { return strings.Compare(a.id, b.id) })
	var args []any
	for _, row := range rows {
		args = append(args, row.columns()...)
	}
	if _, err := tx.ExecContext(ctx, r.insert+sqldb.Commas(sqldb.NewItem, len(rows)), args...); err != nil {
		return fmt.Errorf("insert %d rows: %w", len(rows), err)
	}
	return nil
}
