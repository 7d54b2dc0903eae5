package readmodel_test

import (
	"context"
	"fmt"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/readmodel"
)

func tagsOf(note cqrsfeed.Item[Note]) []string { return note.Body.Tags }

// A read model is made anew from the write model, and loses what that does not know.
func ExampleRebuild() {
	ctx := context.Background()
	notes, _, feeds, done := openNotes(ctx)
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
		Repository: notes, Store: feeds, FeedsOf: tagsOf,
		Progress: func(p readmodel.RebuildProgress) {
			fmt.Printf("%s: %d of %d items, %d entries looked at\n", p.Phase, p.Items, p.Total, p.Entries)
		},
	})
	must(err)
	fmt.Println("orphans removed:", summary.Orphans)
	page, err := feeds.Page(ctx, "go", "", 10)
	must(err)
	fmt.Println("in the feed:", page.Feed.Count)
	// Output:
	// copying: 5 of 5 items, 0 entries looked at
	// strays: 5 of 5 items, 0 entries looked at
	// strays: 5 of 5 items, 5 entries looked at
	// orphans removed: 1
	// in the feed: 5
}

// The next version of a read model is kept and filled beside the one that pages read, and takes over.
func ExampleTee() {
	ctx := context.Background()
	notes, _, current, done := openNotes(ctx)
	defer done()
	_, _, next, doneNext := openNotes(ctx)
	defer doneNext()
	apply := func(store cqrsfeed.FeedStore[Note], note cqrsfeed.Item[Note]) { // which is the projector's work
		_, err := store.Apply(ctx, []cqrsfeed.FeedChange[Note]{{Item: note, Feeds: tagsOf(note)}})
		must(err)
	}
	old, err := notes.Create(ctx, "n1", Note{Tags: []string{"go"}})
	must(err)
	apply(current, old)

	// From here on events go to both, and what was before comes by Rebuild.
	both, err := readmodel.NewTee[Note](current, next)
	must(err)
	note, err := notes.Create(ctx, "n2", Note{Tags: []string{"go"}})
	must(err)
	apply(both, note)
	_, err = readmodel.Rebuild(ctx, readmodel.RebuildConfig[Note]{Repository: notes, Store: next, FeedsOf: tagsOf})
	must(err)

	page, err := next.Page(ctx, "go", "", 10)
	must(err)
	fmt.Println("ready to take over with", page.Feed.Count)
	// Output:
	// ready to take over with 2
}

// An audit finds what a read model has wrong, and heals it.
func ExampleAudit() {
	ctx := context.Background()
	notes, _, feeds, done := openNotes(ctx)
	defer done()
	note, err := notes.Create(ctx, "n1", Note{Text: "hello", Tags: []string{"go"}})
	must(err)
	_, err = feeds.Apply(ctx, []cqrsfeed.FeedChange[Note]{{Item: note, Feeds: []string{"go", "news"}}})
	must(err)

	config := readmodel.AuditConfig[Note]{
		Repository: notes, Store: feeds, FeedsOf: tagsOf, Heal: true,
		Moment: 1, // nothing is under way here
		Drift:  func(d readmodel.Drift) { fmt.Println(d.Kind, d.Item, d.Healed) },
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
