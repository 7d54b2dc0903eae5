package feedstore

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

// Access is how feeds are read and changed on one kind of database.
type Access[T any] interface {
	Paging[T]
	// ReadRecords locks the items that are known, and returns the records of all, in the order of their ids.
	ReadRecords(ctx context.Context, tx *sqldb.Conn, ids []string) ([]Record, error)
	// WriteChanges writes the changes, and gives each changed feed its next revision.
	WriteChanges(ctx context.Context, tx *sqldb.Conn, changes *Changes) error
	// ForgetFeeds removes the feeds without items that have not changed since a time. It returns how many they were.
	ForgetFeeds(ctx context.Context, tx *sqldb.Conn, since int64) (int64, error)
}

// Paging is how pages are read on one kind of database.
type Paging[T any] interface {
	// List returns the argument of a statement for a list of strings.
	List(values []string) any
	// ReadPage reads the page behind a position, or the first one for nil. Items, count and revision are of one snapshot.
	ReadPage(ctx context.Context, feed string, after *driver.Position, limit int) (cqrsfeed.FeedPage[T], error)
	// ReadUnion fills a page for up to limit items with those of several feeds, behind a position or from the newest for nil.
	ReadUnion(ctx context.Context, page *driver.Page[T], feeds []string, after *driver.Position, limit int) error
}

// Record is the stored state of an item.
type Record struct {
	ID        string
	Known     bool
	State     cqrsfeed.FeedState
	Row       int64 // the number of its row, where rows have one
	CreatedAt int64
	Live      bool     // it has a body
	Past      []string // feeds that it left, the latest last
	Entries   []Entry
}

// Entry is an item in a feed. It is shown only if the item has a body, and the same time of creation and row.
type Entry struct {
	Feed, Item     string
	CreatedAt, Row int64
}

// feeds returns the feeds that show the item.
func (r Record) feeds() []string {
	feeds := make([]string, 0, len(r.Entries))
	for _, e := range r.Entries {
		if r.Live && e.Row == r.Row && e.CreatedAt == r.CreatedAt {
			feeds = append(feeds, e.Feed)
		}
	}
	return feeds
}

// Changes are what a transaction is to write: first the items, then the entries, and then the feeds.
type Changes struct {
	Inserted, Updated []State
	Forgotten         []string         // items
	Displaced, Placed []Entry          // the row of placed ones is their item's
	Feeds             map[string]int64 // those that change, and by how many items each grows
	Recount           bool             // the feeds get the counts of what their pages show

	told map[string]bool // the feeds to announce: also those that an earlier Apply may not have announced
}

// State is the new state of an item.
type State struct {
	cqrsfeed.FeedState

	ID                   string
	CreatedAt, UpdatedAt int64
	Body                 []byte // nil for none
	Past                 string // as JSON
}

// transact notes changes by work, and writes them, in a transaction. It returns the revisions of the feeds to announce, as
// they are after the commit. Where several transactions run at once it reads them then: within the transaction they would be
// too low if others that commit first take the same ones. With one writer it reads them before, for which no reader has to
// make room.
func (s *Store[T]) transact(
	ctx context.Context, what string, recount bool, work func(tx *sqldb.Conn, c *Changes) error,
) (updated []cqrsfeed.FeedUpdated, err error) {
	var told []string
	err = s.database.Change(ctx, func(tx *sqldb.Conn) error {
		c := &Changes{Recount: recount, Feeds: map[string]int64{}, told: map[string]bool{}}
		if err := work(tx, c); err != nil {
			return err
		}
		told = slices.Sorted(maps.Keys(c.told))
		if err := s.access.WriteChanges(ctx, tx, c); err != nil || !s.oneWriter {
			return err
		}
		updated, err = s.revisions(ctx, tx, told)
		return err
	})
	if err == nil && !s.oneWriter {
		err = s.database.Retry(ctx, func() (err error) {
			updated, err = s.revisions(ctx, s.database.DB, told)
			return err
		})
	}
	if err != nil {
		return nil, s.wrap(what, err)
	}
	return updated, nil
}

func (s *Store[T]) revisions(ctx context.Context, from sqldb.Querier, feeds []string) ([]cqrsfeed.FeedUpdated, error) {
	if len(feeds) == 0 {
		return nil, nil
	}
	updated, err := sqldb.Query(ctx, from, s.sql.Revisions, []any{s.access.List(feeds)},
		func(row sqldb.Scanner) (update cqrsfeed.FeedUpdated, err error) {
			err = row.Scan(&update.Feed, &update.Revision)
			return update, err
		})
	if err != nil {
		return nil, fmt.Errorf("read revisions: %w", err)
	}
	return updated, nil
}

// changeItems is transact that calls note with the record of each item.
func (s *Store[T]) changeItems(
	ctx context.Context, what string, recount bool, ids []string, note func(c *Changes, old Record) error,
) ([]cqrsfeed.FeedUpdated, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	return s.transact(ctx, what, recount, func(tx *sqldb.Conn, c *Changes) error {
		records, err := s.access.ReadRecords(ctx, tx, ids)
		if err != nil {
			return fmt.Errorf("read items: %w", err)
		}
		for _, old := range records {
			if err := note(c, old); err != nil {
				return fmt.Errorf("item %q: %w", old.ID, err)
			}
		}
		return nil
	})
}

// tellAgain announces the feeds of an item and those that it left.
func (c *Changes) tellAgain(r Record) {
	for _, feed := range slices.Concat(r.feeds(), r.Past) {
		c.told[feed] = true
	}
}

// grow notes that a feed changes, and by how many items it grows.
func (c *Changes) grow(feed string, growth int64) {
	c.Feeds[feed] += growth
	c.told[feed] = true
}

// replace notes the new state of an item, and the feeds that it changes.
func replace[T any](c *Changes, change cqrsfeed.FeedChange[T], old Record) error {
	state := State{
		FeedState: change.State(), ID: change.Item.ID,
		CreatedAt: change.Item.CreatedAt.UnixMicro(), UpdatedAt: change.Item.UpdatedAt.UnixMicro(),
	}
	wanted := map[string]bool{}
	if !change.Hidden() {
		body, err := change.Item.EncodedBody()
		if err != nil {
			return err
		}
		state.Body = body
		for _, feed := range change.Feeds {
			wanted[feed] = true
		}
	}
	for feed := range wanted {
		c.grow(feed, 1)
	}
	var left []string
	for _, feed := range old.feeds() {
		c.grow(feed, -1)
		if !wanted[feed] {
			left = append(left, feed)
		}
	}
	past, err := json.Marshal(pastFeeds(old.Past, left, wanted))
	if err != nil {
		return fmt.Errorf("encode past feeds: %w", err)
	}
	state.Past = string(past)
	if old.Known {
		c.Updated = append(c.Updated, state)
	} else {
		c.Inserted = append(c.Inserted, state)
	}
	c.place(old, state.CreatedAt, wanted)
	return nil
}

// place makes the entries of an item those of the wanted feeds.
func (c *Changes) place(old Record, createdAt int64, wanted map[string]bool) {
	missing := maps.Clone(wanted)
	for _, e := range old.Entries {
		if wanted[e.Feed] && e.Row == old.Row && e.CreatedAt == createdAt {
			delete(missing, e.Feed)
		} else {
			c.Displaced = append(c.Displaced, e)
		}
	}
	for feed := range missing {
		c.Placed = append(c.Placed, Entry{Feed: feed, Item: old.ID, CreatedAt: createdAt})
	}
}

// pastFeeds returns the feeds that an item has left, the latest last. It returns at most MaxFeeds.
func pastFeeds(past, left []string, present map[string]bool) []string {
	past = slices.DeleteFunc(past, func(feed string) bool { return present[feed] || slices.Contains(left, feed) })
	slices.Sort(left)
	past = append(past, left...)
	return append([]string{}, past[max(0, len(past)-limits.MaxFeeds):]...)
}
