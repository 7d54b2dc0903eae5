package readmodel_test

import (
	"context"
	"fmt"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
	"github.com/feedmill/feedmill/internal/examplenotes"
)

func tagsOf(note cqrsfeed.Item[Note]) []string { return note.Body.Tags }

// A rebuild applies all items of the write model, and removes items that the write model does not have.
func ExampleRebuild() {
	ctx := context.Background()
	notes, _, feeds, done := examplenotes.Open(ctx)
	defer done()
	for i := range 5 {
		_, err := notes.Create(ctx, fmt.Sprintf("n%d", i), Note{Text: "hello", Tags: []string{"go"}})
		must(err)
	}
	// This came with a backup of the feeds; the note was deleted long ago.
	_, err := feeds.Apply(ctx, []cqrsfeed.FeedChange[Note]{
		{Item: cqrsfeed.Item[Note]{ID: "n2b", Version: 3}, Feeds: []string{"go"}},
	})
	must(err)

	summary, err := readmodel.Rebuild(ctx, readmodel.RebuildConfig[Note]{
		Source: notes, Store: feeds, FeedsOf: tagsOf,
		Progress: func(s readmodel.RebuildSummary) { fmt.Printf("%d items, up to %q\n", s.Items, s.After) },
	})
	must(err)
	fmt.Println("orphans removed:", summary.Orphans)
	page, err := feeds.Page(ctx, "go", "", 10)
	must(err)
	fmt.Println("in the feed:", page.Feed.Count)
	// Output:
	// 3 items, up to "n2b"
	// 5 items, up to "n4"
	// orphans removed: 1
	// in the feed: 5
}

// withAll is the next rule of the notes. It adds the feed "all".
func withAll(note cqrsfeed.Item[Note]) []string { return append(tagsOf(note), "all") }

// The rule of the feeds has changed. Once every instance of the application uses the new rule, a rebuild moves the items in
// place.
func ExampleRebuild_newRule() {
	ctx := context.Background()
	notes, _, feeds, done := examplenotes.Open(ctx)
	defer done()
	for _, id := range []string{"n1", "n2"} {
		note, err := notes.Create(ctx, id, Note{Tags: []string{"go"}})
		must(err)
		_, err = feeds.Apply(ctx, []cqrsfeed.FeedChange[Note]{{Item: note, Feeds: tagsOf(note)}}) // as a projector did
		must(err)
	}

	_, err := readmodel.Rebuild(ctx, readmodel.RebuildConfig[Note]{
		Source: notes, Store: feeds, FeedsOf: withAll, RuleVersion: 1,
	})
	must(err)
	list, err := feeds.Feeds(ctx, "", 10)
	must(err)
	for _, feed := range list {
		fmt.Println(feed.Name, feed.Count)
	}
	// Output:
	// all 2
	// go 2
}

// An audit finds what differs, and repairs it.
func ExampleAudit() {
	ctx := context.Background()
	notes, _, feeds, done := examplenotes.Open(ctx)
	defer done()
	note, err := notes.Create(ctx, "n1", Note{Text: "hello", Tags: []string{"go"}})
	must(err)
	_, err = feeds.Apply(ctx, []cqrsfeed.FeedChange[Note]{{Item: note, Feeds: []string{"go", "news"}}})
	must(err)

	config := readmodel.AuditConfig[Note]{
		Source: notes, Store: feeds, FeedsOf: tagsOf, Repair: true,
		RecheckDelay: 1, // no event is under way here
		Drift:        func(d readmodel.Drift) { fmt.Println(d.Kind, d.Item, d.Repaired) },
	}
	for range 2 {
		summary, err := readmodel.Audit(ctx, config)
		must(err)
		fmt.Println("drifts:", summary.Drifts)
	}
	// Output:
	// feeds n1 true
	// drifts: 1
	// drifts: 0
}
