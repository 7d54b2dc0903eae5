package outbox

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed"
)

// RemoveEventsOf removes the events of an item's versions before the given one, both waiting and parked ones. It reads
// all messages of the topics.
//
// Meanwhile a relay may park an event, and an operator may return one. The table that messages return to is therefore
// read twice: an event that has left one table is found in the other.
func RemoveEventsOf(ctx context.Context, o *Outbox, tx *sqldb.Conn, topics cqrsfeed.Topics, id string, before int64) error {
	for _, table := range []string{o.table, o.table + parkedSuffix, o.table} {
		ids, err := o.eventsOf(ctx, tx, table, topics, id, before)
		if err != nil {
			return fmt.Errorf("look for events in table %s: %w", table, err)
		}
		if err := o.removeIDs(ctx, tx, table, ids); err != nil {
			return err
		}
	}
	return nil
}

// eventsOf returns the ids of the events of an item's versions before the given one.
func (o *Outbox) eventsOf(
	ctx context.Context, tx *sqldb.Conn, table string, topics cqrsfeed.Topics, id string, before int64,
) ([]int64, error) {
	mark, err := json.Marshal(id)
	if err != nil {
		return nil, err
	}
	query := "SELECT id, payload FROM " + o.database.Dialect.Quote(table) + " WHERE topic IN (?, ?, ?) AND " + o.database.Dialect.PayloadHas
	rows, err := tx.QueryContext(ctx, query, topics.Created, topics.Updated, topics.Deleted, append([]byte(`"id":`), mark...))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []int64
	for rows.Next() {
		var row int64
		var payload []byte
		if err := rows.Scan(&row, &payload); err != nil {
			return nil, err
		}
		var event struct {
			Item struct {
				ID      string `json:"id"`
				Version int64  `json:"version"`
			} `json:"item"`
		}
		// Bodies may have an id too. What cannot be decoded is not known to be another item's.
		if err := json.Unmarshal(payload, &event); err != nil || event.Item.ID == id && event.Item.Version < before {
			ids = append(ids, row)
		}
	}
	return ids, rows.Err()
}
