package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/cqrsfeed/outbox"
	"github.com/feedmill/feedmill/internal/reason"
)

const (
	bodyColumns    = "uuid, topic, metadata, payload, created_at"
	messageColumns = "id, " + bodyColumns
	// A parked message gets a new id. Its place is the id that it had in the queue. Another message may have taken that
	// id: ids start again after a TRUNCATE, or in a table that was restored from a backup.
	parkedColumns = messageColumns + ", reason, attempts, parked_at"
	placeColumn   = "place"
)

// parkedStatements are the statements on the table of parked messages.
type parkedStatements struct{ park, list, lock, taken, toPlace, toEnd string }

// newParkedStatements returns the statements. %s stands for a list of ids, which need no quoting.
func newParkedStatements(queue, parked string, dialect *sqldb.Dialect) parkedStatements {
	back := func(place, from string) string {
		return "INSERT INTO " + queue + " (" + place + bodyColumns + ") SELECT " + from + bodyColumns + " FROM " + parked +
			" WHERE id IN (%s) ORDER BY id"
	}
	return parkedStatements{
		park: "INSERT INTO " + parked + " (" + placeColumn + ", " + bodyColumns + ", reason, attempts, parked_at) SELECT " +
			messageColumns + ", ?, ?, ? FROM " + queue + " WHERE id = ?",
		list:    "SELECT " + parkedColumns + " FROM " + parked + " WHERE id > ? ORDER BY id LIMIT ?",
		lock:    "SELECT id, " + placeColumn + " FROM " + parked + " WHERE id IN (%s) ORDER BY id" + dialect.LockRow,
		taken:   dialect.TakenPlaces(queue),
		toPlace: back("id, ", placeColumn+", "),
		toEnd:   back("", ""),
	}
}

// refusal is a message that leaves the queue without having been published.
type refusal struct {
	id       int64
	topic    string
	reason   error
	attempts int
	parkedID *string // is set to the id of the parked message; nil if it is not needed
}

// park moves messages to the table of parked ones. It skips a message that is no longer in the queue because another
// process settled it.
func (o *Outbox) park(ctx context.Context, tx *sqldb.Conn, refused []refusal) error {
	now := time.Now().UnixMicro()
	ids := make([]int64, len(refused))
	for i, r := range refused {
		ids[i] = r.id
		id, err := tx.InsertID(ctx, o.parked.park, reason.Text(r.reason), max(1, r.attempts), now, r.id)
		if err != nil {
			return fmt.Errorf("park message %d (does EnsureSchema run at start?): %w", r.id, err)
		}
		if r.parkedID != nil {
			*r.parkedID = strconv.FormatInt(id, 10)
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
	rows, err := o.database.DB.QueryContext(ctx, o.parked.list, after, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var messages []outbox.ParkedMessage
	for bytes := 0; bytes < limits.MaxBatchBytes && rows.Next(); {
		var r row
		var m outbox.ParkedMessage
		var id, parkedAt int64
		if err := rows.Scan(append(r.fields(&id), &m.Reason, &m.Attempts, &parkedAt)...); err != nil {
			return nil, err
		}
		bytes += len(r.payload)
		stored, _ := r.decode(ctx) // the reason reports what cannot be decoded
		m.Topic, m.Message, m.AddedAt = stored.Topic, stored.Message, stored.AddedAt
		m.Holds = o.ordered.has(m.Topic)
		m.ID, m.ParkedAt = strconv.FormatInt(id, 10), time.UnixMicro(parkedAt).UTC()
		messages = append(messages, m)
	}
	return messages, rows.Err()
}

// Unpark implements outbox.Operations, in transactions of up to parkedAtOnce messages.
func (o *Outbox) Unpark(ctx context.Context, ids ...string) ([]string, error) {
	var first int64
	returned, err := o.settleParked(ctx, ids, func(ctx context.Context, tx *sqldb.Conn, found []idPair) error {
		for _, message := range found {
			if first == 0 || message.other < first {
				first = message.other
			}
		}
		if err := o.putBack(ctx, tx, found); err != nil {
			return err
		}
		return o.countReturn(ctx, tx)
	})
	if len(returned) > 0 || errors.Is(err, cqrsfeed.ErrUnknownOutcome) {
		o.marks.lower(first)
		o.Committed()
	}
	return returned, o.wrap("unpark messages of", err)
}

// putBack returns parked messages to their places in the queue. Messages whose places are taken go to its end.
func (o *Outbox) putBack(ctx context.Context, tx *sqldb.Conn, found []idPair) error {
	places := make([]int64, len(found))
	for i, message := range found {
		places[i] = message.other
	}
	occupied, err := queryIDs(ctx, tx, fmt.Sprintf(o.parked.taken, joinIDs(places)), o.database.Dialect.Unprepared...)
	if err != nil {
		return fmt.Errorf("look for places: %w", err)
	}
	taken := map[int64]bool{}
	for _, row := range occupied {
		taken[row.id] = true
	}
	var toPlace, toEnd []int64
	for _, message := range found {
		if taken[message.other] {
			toEnd = append(toEnd, message.id)
			continue
		}
		taken[message.other] = true
		toPlace = append(toPlace, message.id)
	}
	for _, insert := range []struct { // in this order: ids that the database chooses are greater than all places
		statement string
		ids       []int64
	}{{o.parked.toPlace, toPlace}, {o.parked.toEnd, toEnd}} {
		if len(insert.ids) == 0 {
			continue
		}
		if _, err := tx.ExecContext(ctx, fmt.Sprintf(insert.statement, joinIDs(insert.ids))); err != nil {
			return fmt.Errorf("insert rows: %w", err)
		}
	}
	return nil
}

// returnStatements count the returns of parked messages.
type returnStatements struct{ read, count, begin string }

func newReturnStatements(returns string) returnStatements {
	return returnStatements{
		read:  "SELECT " + generationColumn + " FROM " + returns + " WHERE id = 1",
		count: "UPDATE " + returns + " SET " + generationColumn + " = " + generationColumn + " + 1 WHERE id = 1",
		begin: "INSERT INTO " + returns + " (" + returnsColumns + ") VALUES (1, ?)",
	}
}

// firstGeneration differs from all that processes know from before the table was emptied.
func firstGeneration() int64 { return time.Now().UnixMicro() }

// countReturn begins a new generation of the marks of all processes.
func (o *Outbox) countReturn(ctx context.Context, tx sqldb.Execer) error {
	if o.marks == nil {
		return nil
	}
	result, err := tx.ExecContext(ctx, o.returns.count)
	if err != nil {
		return fmt.Errorf("count a return (does EnsureSchema run at start?): %w", err)
	}
	if counted, err := result.RowsAffected(); err != nil || counted > 0 {
		return err
	}
	if _, err = tx.ExecContext(ctx, o.returns.begin, firstGeneration()); err != nil { // somebody has emptied the table
		return fmt.Errorf("count the first return: %w", err)
	}
	return nil
}

// beginReturns creates the row of returns unless it exists.
func (o *Outbox) beginReturns(ctx context.Context) error {
	var generation int64
	err := o.database.DB.QueryRowContext(ctx, o.returns.read).Scan(&generation)
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	_, err = o.database.DB.ExecContext(ctx, o.returns.begin, firstGeneration())
	if err != nil && o.database.Dialect.Classify(err) == sqldb.Duplicate {
		return nil // another process was faster
	}
	return err
}

// Discard implements outbox.Operations, in transactions of up to parkedAtOnce messages.
func (o *Outbox) Discard(ctx context.Context, ids ...string) ([]string, error) {
	discarded, err := o.settleParked(ctx, ids, func(context.Context, *sqldb.Conn, []idPair) error { return nil })
	return discarded, o.wrap("discard parked messages of", err)
}

// parkedAtOnce keeps the transactions of operators short.
const parkedAtOnce = 100

// settleParked deletes messages from the table of parked ones, after it has called first with their ids and places. It
// returns the ids of those that it deleted, also beside an error.
func (o *Outbox) settleParked(
	ctx context.Context, ids []string, first func(ctx context.Context, tx *sqldb.Conn, found []idPair) error,
) (settled []string, err error) {
	numbers, err := parseIDs(ids)
	if err != nil {
		return nil, err
	}
	for chunk := range slices.Chunk(numbers, parkedAtOnce) {
		var found []idPair
		err := o.database.Begin(ctx, o.database.Dialect.BeginDrain, func(tx *sqldb.Conn) (err error) {
			if found, err = queryIDs(ctx, tx, fmt.Sprintf(o.parked.lock, joinIDs(chunk)), o.database.Dialect.Unprepared...); err != nil {
				return fmt.Errorf("lock rows: %w", err)
			}
			if len(found) == 0 {
				return nil
			}
			if err := first(ctx, tx, found); err != nil {
				return err
			}
			return o.removeIDs(ctx, tx, o.table+parkedSuffix, idsOf(found))
		})
		if err != nil {
			return settled, err
		}
		for _, message := range found {
			settled = append(settled, strconv.FormatInt(message.id, 10))
		}
	}
	return settled, nil
}

// parseIDs parses the ids of parked messages. It returns each id once, in ascending order, so that all callers lock in
// the same order.
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
