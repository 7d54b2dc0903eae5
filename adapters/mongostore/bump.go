package mongostore

import (
	"context"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	// countedFeeds is the most feeds of a batch of which Apply counts any.
	countedFeeds = 40
	// namesAtOnce bounds the names in one command.
	namesAtOnce = 10_000
)

// unreadFeeds returns the feeds that may have to be bumped and whose heads were not read yet.
func (a *application) unreadFeeds(plans []*plan) []string {
	var feeds [][]string
	for _, p := range plans {
		if !p.exists || p.stored.Version <= p.next.Version {
			feeds = append(feeds, p.next.Feeds, p.stored.Feeds, p.stored.Left)
		}
	}
	return slices.DeleteFunc(union(feeds...), func(feed string) bool {
		_, read := a.heads[feed]
		return read
	})
}

// readHeads reads the heads of feeds.
func (a *application) readHeads(ctx context.Context, feeds []string) error {
	heads, err := a.headsOf(ctx, feeds)
	for _, feed := range feeds {
		a.heads[feed] = heads[feed]
	}
	return err
}

// headsOf reads the heads of feeds, of those that have one.
func (c collections) headsOf(ctx context.Context, feeds []string) (map[string]*feedDocument, error) {
	heads := make(map[string]*feedDocument, len(feeds))
	for names := range slices.Chunk(feeds, namesAtOnce) {
		documents, err := findAll[feedDocument](ctx, c.feeds, among(names), options.Find())
		if err != nil {
			return nil, err
		}
		for _, document := range documents {
			heads[document.Name] = &document
		}
	}
	return heads, nil
}

// readRevisions notes the revisions of feeds. Feeds that nothing was ever in have none.
func (a *application) readRevisions(ctx context.Context, feeds []string) error {
	heads, err := a.headsOf(ctx, feeds)
	if err != nil {
		return fmt.Errorf("read revisions: %w", err)
	}
	for feed, head := range heads {
		a.revisions[feed] = max(a.revisions[feed], head.Revision)
	}
	return nil
}

// bump raises the revisions of feeds. It counts small ones, and marks the counts of the others as pending.
// It returns the feeds whose new revision it does not know.
func (a *application) bump(ctx context.Context, feeds []string) (unknown []string, err error) {
	var counted, others []string
	for _, feed := range feeds {
		if len(feeds) <= countedFeeds && a.countable(feed) {
			counted = append(counted, feed)
		} else {
			others = append(others, feed)
		}
	}
	var all bool
	err = together(ctx,
		func(ctx context.Context) error {
			counts, err := a.count(ctx, counted)
			if err != nil {
				return err
			}
			all, err = a.bumpWithCounts(ctx, counted, counts)
			return err
		},
		func(ctx context.Context) error { return a.bumpPending(ctx, others) })
	if err != nil || all {
		return others, err
	}
	// A bump too many does no harm.
	return feeds, a.bumpPending(ctx, counted)
}

// countable reports whether Apply counts a feed itself. What is pending is left to Recount, because the size is not known.
func (a *application) countable(feed string) bool {
	head, read := a.heads[feed]
	if !read || a.countAtOnce == Off {
		return false
	}
	return head == nil || !head.Pending && head.Count <= int64(a.countAtOnce)
}

// bumpWithCounts bumps the feeds that nobody has bumped since their heads were read, and stores counts that were taken
// after that. Such a count includes every write that was bumped before. It reports whether it bumped all of them.
func (a *application) bumpWithCounts(ctx context.Context, feeds []string, counts map[string]int64) (all bool, err error) {
	var known, fresh []write
	revisions := make(map[string]int64, len(feeds))
	for _, feed := range feeds {
		head := a.heads[feed]
		next := feedDocument{Name: feed, Revision: 1, Count: counts[feed], Counted: 1}
		if head == nil {
			fresh = append(fresh, write{model: mongo.NewInsertOneModel().SetDocument(next)})
		} else {
			next.Revision, next.Counted = head.Revision+1, head.Revision+1
			known = append(known, write{model: mongo.NewReplaceOneModel().
				SetFilter(bson.D{{Key: fieldID, Value: feed}, {Key: fieldRevision, Value: head.Revision}}).
				SetReplacement(next)})
		}
		revisions[feed] = next.Revision
	}
	var replaced, inserted outcome
	err = together(ctx,
		func(ctx context.Context) (err error) { replaced, err = writeAll(ctx, a.feeds, known); return err },
		func(ctx context.Context) (err error) { inserted, err = writeAll(ctx, a.feeds, fresh); return err })
	if err != nil || replaced.matched < int64(len(known)) || len(inserted.lost) > 0 {
		return false, err
	}
	for feed, revision := range revisions {
		a.revisions[feed] = max(a.revisions[feed], revision)
	}
	return true, nil
}

// bumpPending bumps feeds and marks their counts as pending, by one statement for all feeds that have a head.
func (a *application) bumpPending(ctx context.Context, feeds []string) error {
	var known, fresh []string
	for _, feed := range feeds {
		if head, read := a.heads[feed]; read && head == nil {
			fresh = append(fresh, feed)
		} else {
			known = append(known, feed)
		}
	}
	return together(ctx,
		func(ctx context.Context) error { return a.bumpKnown(ctx, known) },
		func(ctx context.Context) error { return a.bumpAny(ctx, fresh) })
}

func (c collections) bumpKnown(ctx context.Context, feeds []string) error {
	for names := range slices.Chunk(feeds, namesAtOnce) {
		result, err := c.feeds.UpdateMany(ctx, among(names), pendingBump())
		if err != nil {
			return fmt.Errorf("bump %d feeds: %w", len(names), err)
		}
		if result.MatchedCount < int64(len(names)) {
			if err := c.bumpAny(ctx, names); err != nil {
				return err
			}
		}
	}
	return nil
}

// bumpAny bumps feeds that have a head or not.
func (c collections) bumpAny(ctx context.Context, remaining []string) error {
	for round := 0; len(remaining) > 0; round++ {
		if round == maxRounds {
			return fmt.Errorf("feed %q and %d more keep changing", remaining[0], len(remaining)-1)
		}
		update := append(pendingBump(), bson.E{Key: "$setOnInsert", Value: bson.D{
			{Key: "count", Value: int64(0)}, {Key: "counted", Value: int64(0)},
		}})
		writes := make([]write, 0, len(remaining))
		for _, feed := range remaining {
			writes = append(writes, write{model: mongo.NewUpdateOneModel().
				SetFilter(bson.D{{Key: fieldID, Value: feed}}).SetUpdate(update).SetUpsert(true)})
		}
		result, err := writeAll(ctx, c.feeds, writes)
		if err != nil {
			return err
		}
		// Two first bumps of a feed can collide. The document is there the next time.
		again := make([]string, 0, len(result.lost))
		for _, i := range result.lost {
			again = append(again, remaining[i])
		}
		remaining = again
	}
	return nil
}

func pendingBump() bson.D {
	return bson.D{
		{Key: "$inc", Value: bson.D{{Key: fieldRevision, Value: int64(1)}}},
		{Key: "$set", Value: bson.D{{Key: fieldPending, Value: true}}},
	}
}
