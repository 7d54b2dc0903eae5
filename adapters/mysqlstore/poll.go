package mysqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/adapters/internal/live"
	"github.com/feedmill/feedmill/internal/backoff"
)

const (
	// pollRows is how many rows are read at once.
	pollRows = 100
	// pollTimeout bounds a query.
	pollTimeout = 5 * time.Second
	// removeInterval is the least time between two removals, and that a row is kept.
	removeInterval = 10 * time.Second
	// removeRows is how many rows are removed at once.
	removeRows = 10000
)

// errRowsGone is returned when rows that were not read are gone.
var errRowsGone = errors.New("rows were removed before they were read")

// liveRow is a row of the table. The zero row stands for an empty table.
type liveRow struct {
	id   int64
	name string
	body []byte
}

func (l *Live) lastRow(ctx context.Context) (row liveRow, err error) {
	err = l.database.DB.QueryRowContext(ctx, l.statements.last).Scan(&row.id, &row.name)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("read the last row: %w", err)
	}
	return row, err
}

// open is the live.Open.
func (l *Live) open(ctx context.Context) (live.Receive, error) {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	last, err := l.lastRow(ctx)
	if err != nil {
		return nil, err
	}
	return (&reader{live: l, last: last, kept: last.id}).receive, nil
}

// reader reads the rows in the order of their ids.
type reader struct {
	live *Live
	last liveRow // the row that was read last
	kept int64   // what was last at the removal before
}

// receive is the live.Receive. It ends with the first error, which a reader cannot tell from a gap.
func (r *reader) receive(ctx context.Context, deliver func(topic string, messages []*message.Message)) error {
	remove := time.Now().Add(backoff.Between(removeInterval, 2*removeInterval))
	for {
		more, err := r.poll(ctx, deliver)
		if err != nil {
			return err
		}
		if time.Now().After(remove) {
			r.removeOld(ctx)
			remove = time.Now().Add(backoff.Between(removeInterval, 2*removeInterval))
		}
		if !more && !backoff.Sleep(ctx, r.live.config.PollInterval) {
			return ctx.Err()
		}
	}
}

// poll delivers the next rows. It reports whether there may be more.
func (r *reader) poll(ctx context.Context, deliver func(topic string, messages []*message.Message)) (more bool, err error) {
	rows, err := r.next(ctx)
	if err != nil {
		return false, err
	}
	if r.last.id > 0 {
		if len(rows) == 0 || rows[0].id != r.last.id || rows[0].name != r.last.name {
			return false, fmt.Errorf("%w: row %d is not there", errRowsGone, r.last.id)
		}
		rows = rows[1:]
	}
	for _, row := range rows {
		if row.id != r.last.id+1 {
			return false, fmt.Errorf("%w: row %d comes after row %d", errRowsGone, row.id, r.last.id)
		}
		r.last = liveRow{id: row.id, name: row.name}
		if len(row.body) == 0 {
			continue // an own one
		}
		topic, messages, err := live.Decode(row.body)
		if err != nil {
			return false, err
		}
		deliver(topic, messages)
	}
	return len(rows) >= pollRows-1, nil
}

func (r *reader) next(ctx context.Context) (read []liveRow, err error) {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	rows, err := r.live.database.DB.QueryContext(ctx, r.live.statements.after, r.last.id, r.live.name+"/%", r.last.id)
	if err != nil {
		return nil, fmt.Errorf("poll: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var row liveRow
		if err := rows.Scan(&row.id, &row.name, &row.body); err != nil {
			return nil, fmt.Errorf("poll: %w", err)
		}
		read = append(read, row)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("poll: %w", err)
	}
	return read, nil
}

// removeOld removes rows that this reader had read at the removal before. All instances do that, so what fails is left to
// the next time. A server that was demoted refuses it, and the connections to that are dropped: nothing would be heard there.
func (r *reader) removeOld(ctx context.Context) {
	for {
		ctx, cancel := context.WithTimeout(ctx, pollTimeout)
		removed, err := r.live.database.Exec(ctx, r.live.statements.remove, r.kept)
		cancel()
		if err != nil || removed < removeRows {
			break
		}
	}
	r.kept = r.last.id
}
