package postgresstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed"
)

// errRaced is returned if another transaction has inserted an item since it was found to be missing. The next try locks it.
var errRaced = errors.New("another transaction has inserted the item")

// applying is a transaction that changes feeds. It reads all items of a batch, notes what is to be written, and writes
// that by one statement for each kind of change.
type applying struct {
	tx     *sqldb.Conn
	tables feedTables

	inserted, updated stateColumns
	placed, displaced entryColumns
	forgotten         []string         // items
	changed           map[string]int64 // the feeds that change, and by how many items each grows
	told              map[string]bool  // the feeds to announce: also those that an earlier Apply may not have announced
}

// record is the stored state of an item.
type record struct {
	id        string
	known     bool
	state     cqrsfeed.FeedState
	createdAt int64
	live      bool
	past      []string // feeds that it left, the latest last
	entries   []entry
}

type entry struct {
	feed      string
	createdAt int64
}

// feeds returns the feeds that show the item.
func (r record) feeds() []string {
	feeds := make([]string, 0, len(r.entries))
	for _, e := range r.entries {
		if r.live && e.createdAt == r.createdAt {
			feeds = append(feeds, e.feed)
		}
	}
	return feeds
}

// read locks the items that are known, in the order of their ids, and returns the records of all.
func (a *applying) read(ctx context.Context, ids []string) ([]record, error) {
	records := make([]record, len(ids))
	for i, id := range ids {
		records[i].id = id
	}
	found, err := sqldb.Query(ctx, a.tx, a.tables.lockItems, []any{ids}, scanRecord)
	if err != nil {
		return nil, fmt.Errorf("lock items: %w", err)
	}
	if len(found) == 0 {
		return records, nil
	}
	byID := make(map[string]*record, len(found))
	for i := range records {
		byID[records[i].id] = &records[i]
	}
	for _, r := range found {
		*byID[r.id] = r
	}
	// A statement of its own: its snapshot has what the others wrote for whom the first one waited.
	_, err = sqldb.Query(ctx, a.tx, a.tables.readEntries, []any{ids}, func(row sqldb.Scanner) (e entry, err error) {
		var id string
		err = row.Scan(&e.feed, &e.createdAt, &id)
		byID[id].entries = append(byID[id].entries, e)
		return e, err
	})
	if err != nil {
		return nil, fmt.Errorf("read entries: %w", err)
	}
	return records, nil
}

func scanRecord(row sqldb.Scanner) (record, error) {
	r := record{known: true}
	var past []byte
	err := row.Scan(&r.id, &r.state.Version, &r.state.Rule, &r.state.Withheld, &r.createdAt, &r.live, &past)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(past, &r.past); err != nil {
		return r, fmt.Errorf("decode past feeds of item %q: %w", r.id, err)
	}
	return r, nil
}

// tellAgain announces the feeds of an item and those that it left.
func (a *applying) tellAgain(r record) {
	for _, feed := range slices.Concat(r.feeds(), r.past) {
		a.told[feed] = true
	}
}

// changes notes that a feed changes, and by how many items it grows.
func (a *applying) changes(feed string, growth int64) {
	a.changed[feed] += growth
	a.told[feed] = true
}

// states returns where the new state of an item is noted.
func (a *applying) states(old record) *stateColumns {
	if old.known {
		return &a.updated
	}
	return &a.inserted
}

// place makes the entries of an item those of the wanted feeds.
func (a *applying) place(old record, createdAt int64, wanted map[string]bool) {
	missing := maps.Clone(wanted)
	for _, e := range old.entries {
		if wanted[e.feed] && e.createdAt == createdAt {
			delete(missing, e.feed)
		} else {
			a.displaced.add(e, old.id)
		}
	}
	for feed := range missing {
		a.placed.add(entry{feed, createdAt}, old.id)
	}
}

// write executes what was noted. count brings the counts of the changed feeds up to date.
func (a *applying) write(ctx context.Context, count func(ctx context.Context) error) error {
	for _, step := range []struct {
		what, statement string
		rows            int
		args            []any
	}{
		{"insert items", a.tables.insertItems, len(a.inserted.ids), a.inserted.args()},
		{"update items", a.tables.updateItems, len(a.updated.ids), a.updated.args()},
		{"delete items", a.tables.deleteItems, len(a.forgotten), []any{a.forgotten}},
		{"delete entries", a.tables.deleteEntries, len(a.displaced.feeds), a.displaced.args()},
		{"insert entries", a.tables.insertEntries, len(a.placed.feeds), a.placed.args()},
	} {
		if step.rows == 0 {
			continue
		}
		done, err := a.tx.ExecContext(ctx, step.statement, step.args...)
		if err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
		if rows, err := done.RowsAffected(); err != nil || step.statement == a.tables.insertItems && rows < int64(step.rows) {
			return errors.Join(err, errRaced)
		}
	}
	if len(a.changed) == 0 {
		return nil
	}
	return count(ctx)
}

// changeFeeds adds what was noted to the feeds.
func (a *applying) changeFeeds(ctx context.Context) error {
	feeds := slices.Sorted(maps.Keys(a.changed))
	growth := make([]int64, len(feeds))
	for i, feed := range feeds {
		growth[i] = a.changed[feed]
	}
	if _, err := a.tx.ExecContext(ctx, a.tables.changeFeeds, time.Now().UnixMicro(), feeds, growth); err != nil {
		return fmt.Errorf("change %d feeds: %w", len(feeds), err)
	}
	return nil
}

// recountFeeds makes the counts of the changed feeds what their entries are.
func (a *applying) recountFeeds(ctx context.Context) error {
	if _, err := a.tx.ExecContext(ctx, a.tables.lockCounts, a.tables.feeds.Name); err != nil {
		return fmt.Errorf("wait for other recounts: %w", err)
	}
	feeds := slices.Sorted(maps.Keys(a.changed))
	if _, err := a.tx.ExecContext(ctx, a.tables.recountFeeds, time.Now().UnixMicro(), feeds); err != nil {
		return fmt.Errorf("recount %d feeds: %w", len(feeds), err)
	}
	return nil
}

// stateColumns are the columns of items to write.
type stateColumns struct {
	ids                  []string
	versions, rules      []int64
	withheld             []bool
	createdAt, updatedAt []int64
	bodies               [][]byte // nil for none
	past                 []string // as JSON
}

func (c *stateColumns) add(id string, state cqrsfeed.FeedState, createdAt, updatedAt int64, body []byte, past []string) error {
	encoded, err := json.Marshal(past)
	if err != nil {
		return fmt.Errorf("encode past feeds: %w", err)
	}
	c.ids = append(c.ids, id)
	c.versions, c.rules = append(c.versions, state.Version), append(c.rules, state.Rule)
	c.withheld = append(c.withheld, state.Withheld)
	c.createdAt, c.updatedAt = append(c.createdAt, createdAt), append(c.updatedAt, updatedAt)
	c.bodies, c.past = append(c.bodies, body), append(c.past, string(encoded))
	return nil
}

func (c *stateColumns) args() []any {
	return []any{c.ids, c.versions, c.rules, c.withheld, c.createdAt, c.updatedAt, c.bodies, c.past}
}

// entryColumns are the columns of entries to write.
type entryColumns struct {
	feeds     []string
	createdAt []int64
	items     []string
}

func (c *entryColumns) add(e entry, item string) {
	c.feeds, c.createdAt, c.items = append(c.feeds, e.feed), append(c.createdAt, e.createdAt), append(c.items, item)
}

func (c *entryColumns) args() []any { return []any{c.feeds, c.createdAt, c.items} }
