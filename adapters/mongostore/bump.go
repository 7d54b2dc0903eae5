package mongostore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	// countedFeeds is the maximum number of feeds of a batch that Apply counts.
	countedFeeds = 40
	// namesAtOnce is the maximum number of names in one command. The longest have 2.7 MB together.
	namesAtOnce = 10_000
)

// unreadFeeds returns the feeds that may have to be bumped and whose heads have not been read.
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

// headsOf reads the heads of the feeds that have one.
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

// readRevisions reads the revisions of feeds. Feeds without a head have none.
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

// bump raises the revisions of feeds. It stores known counts, counts small feeds, and marks the counts of the others as
// pending. It returns the feeds whose new revision is unknown.
//
// A count is known if only inserts of this batch have changed the feed since the store knew its head. If an assumed head is
// not the stored one, the heads are read and the feeds counted.
func (a *application) bump(ctx context.Context, feeds []string) (unknown []string, err error) {
	var small, others []string
	counts, grown := make(map[string]int64, len(feeds)), a.grown()
	for _, feed := range feeds {
		switch head := a.heads[feed]; {
		case len(feeds) > countedFeeds || !a.countable(feed):
			others = append(others, feed)
		case head != nil && *head == a.before[feed] && grown[feed] > 0:
			counts[feed] = head.Count + grown[feed]
		case head == nil || head.Count <= int64(a.countAtOnce):
			small = append(small, feed)
		default:
			others = append(others, feed)
		}
	}
	var all bool
	err = together(ctx,
		func(ctx context.Context) error {
			counted, err := a.count(ctx, small)
			if err != nil {
				return err
			}
			maps.Copy(counts, counted)
			all, err = a.bumpWithCounts(ctx, counts)
			return err
		},
		func(ctx context.Context) error { return a.bumpPending(ctx, others) })
	if err != nil || all {
		return others, err
	}
	// Which of them have been bumped is not known. A redundant bump does no harm.
	feeds = slices.Sorted(maps.Keys(counts))
	if !a.assumed {
		return append(others, feeds...), a.bumpPending(ctx, feeds)
	}
	a.assumed = false
	if err := a.readHeads(ctx, feeds); err != nil {
		return nil, err
	}
	unknown, err = a.bump(ctx, feeds)
	return append(others, unknown...), err
}

// countable reports whether Apply may store the count of a feed. The size of a pending feed is unknown, so Recount counts it.
func (a *application) countable(feed string) bool {
	head, read := a.heads[feed]
	return read && a.countAtOnce != Off && (head == nil || head.Pending == "")
}

// grown returns the number of inserted items of each feed that the batch has changed in no other way.
func (a *application) grown() map[string]int64 {
	grown := make(map[string]int64)
	for _, p := range a.plans {
		if p.inserted {
			for _, feed := range p.next.Feeds {
				grown[feed]++
			}
		}
	}
	for _, p := range a.plans {
		if !p.inserted {
			for _, feed := range p.toBump() {
				delete(grown, feed)
			}
		}
	}
	return grown
}

// bumpWithCounts bumps the feeds whose heads are still the ones in a.heads, and stores counts that include every write that
// was bumped before. It reports whether it bumped all feeds.
func (a *application) bumpWithCounts(ctx context.Context, counts map[string]int64) (all bool, err error) {
	var known, fresh []write
	heads := make([]feedDocument, 0, len(counts))
	for _, feed := range slices.Sorted(maps.Keys(counts)) {
		head := a.heads[feed]
		next := feedDocument{Name: feed, Revision: 1, Count: counts[feed], Counted: 1, Changed: time.Now().UnixMicro()}
		if head == nil {
			fresh = append(fresh, write{model: mongo.NewInsertOneModel().SetDocument(next)})
		} else {
			next.Revision, next.Counted = head.Revision+1, head.Revision+1
			known = append(known, write{model: mongo.NewReplaceOneModel().
				SetFilter(head.unchanged()).
				SetReplacement(next)})
		}
		heads = append(heads, next)
	}
	var replaced, inserted outcome
	err = together(ctx,
		func(ctx context.Context) (err error) { replaced, err = writeAll(ctx, a.feeds, known); return err },
		func(ctx context.Context) (err error) { inserted, err = writeAll(ctx, a.feeds, fresh); return err })
	if err != nil || replaced.matched < int64(len(known)) || len(inserted.lost) > 0 {
		return false, err
	}
	for _, head := range heads {
		a.revisions[head.Name] = max(a.revisions[head.Name], head.Revision)
	}
	for _, head := range heads {
		a.known.wrote(head, a.heads[head.Name])
	}
	return true, nil
}

// bumpPending bumps feeds and marks their counts as pending, in one statement for all feeds that have a head.
func (a *application) bumpPending(ctx context.Context, feeds []string) error {
	a.known.disown(feeds)
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
		result, err := c.feeds.UpdateMany(ctx, among(names), c.pendingBump())
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

// bumpAny bumps feeds with or without a head.
func (c collections) bumpAny(ctx context.Context, remaining []string) error {
	for round := 0; len(remaining) > 0; round++ {
		if round == maxRounds {
			return fmt.Errorf("feed %q and %d more keep changing", remaining[0], len(remaining)-1)
		}
		update := append(c.pendingBump(), bson.E{Key: "$setOnInsert", Value: bson.D{
			{Key: fieldCount, Value: int64(0)}, {Key: "counted", Value: int64(0)},
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
		// Two first bumps of a feed can collide. The document exists in the next round.
		again := make([]string, 0, len(result.lost))
		for _, i := range result.lost {
			again = append(again, remaining[i])
		}
		remaining = again
	}
	return nil
}

func (c collections) pendingBump() bson.D {
	return bson.D{
		{Key: "$inc", Value: bson.D{{Key: fieldRevision, Value: int64(1)}}},
		{Key: "$set", Value: bson.D{{Key: fieldPending, Value: c.counter}, {Key: fieldChanged, Value: time.Now().UnixMicro()}}},
	}
}
