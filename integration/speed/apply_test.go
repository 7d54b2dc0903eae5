package speed_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

// appliedPost is a version of a post in two feeds.
func appliedPost(n int, version int64, feeds ...string) cqrsfeed.FeedChange[post.Post] {
	created := time.Unix(int64(n), 0)
	return cqrsfeed.FeedChange[post.Post]{Item: cqrsfeed.Item[post.Post]{
		ID: fmt.Sprintf("post-%07d", n), Version: version, Body: tagged(n, feeds...),
		CreatedAt: created, UpdatedAt: created.Add(time.Duration(version) * time.Second),
	}, Feeds: feeds}
}

// BenchmarkApply applies one change after the other to a store, with nothing before or behind it, in a hundred pairs of
// feeds that have a hundred posts each: new posts, edits that change the text, edits that move the post to another feed,
// repetitions, and deletions.
func BenchmarkApply(b *testing.B) {
	db := connectMongo(b, nil)
	store, err := mongostore.NewFeedStore[post.Post](db, mongostore.FeedStoreConfig{Name: fresh("apply")})
	require.NoError(b, err)
	require.NoError(b, store.EnsureSchema(b.Context()))
	const turns, each = 100, 100
	feed := func(n int) string { return fmt.Sprintf("feed%03d", n%turns) }
	var batch []cqrsfeed.FeedChange[post.Post]
	n := 0
	for range turns * each {
		n++
		if batch = append(batch, appliedPost(n, 1, feed(n), feed(n+1))); len(batch) == turns {
			_, err := store.Apply(b.Context(), batch)
			require.NoError(b, err)
			batch = nil
		}
	}
	_, err = store.Recount(b.Context())
	require.NoError(b, err)

	took := make(map[string][]time.Duration)
	apply := func(what string, change cqrsfeed.FeedChange[post.Post]) {
		took[what] = append(took[what], timed(func() {
			_, err := store.Apply(b.Context(), []cqrsfeed.FeedChange[post.Post]{change})
			require.NoError(b, err)
		}))
	}
	for b.Loop() {
		n++
		apply("create", appliedPost(n, 1, feed(n), feed(n+1)))
		apply("edit", appliedPost(n, 2, feed(n), feed(n+1)))
		apply("move", appliedPost(n, 3, feed(n), feed(n+2)))
		apply("repeat", appliedPost(n, 3, feed(n), feed(n+2)))
		deleted := appliedPost(n, 4)
		deleted.Item.Deleted = true
		apply("delete", deleted)
	}
	for what, durations := range took {
		b.ReportMetric(milliseconds(median(durations)), what+"-ms")
	}
}

// BenchmarkEdits applies changes of 20,000 posts with two tags each in batches of 100: half of them change the text, half
// move the post to another feed.
func BenchmarkEdits(b *testing.B) {
	db := connectMongo(b, nil)
	const posts, atOnce = 20_000, 100
	var rates []float64
	for b.Loop() {
		b.StopTimer()
		store, err := mongostore.NewFeedStore[post.Post](db, mongostore.FeedStoreConfig{Name: fresh("edits")})
		require.NoError(b, err)
		require.NoError(b, store.EnsureSchema(b.Context()))
		feed := func(n int) string { return fmt.Sprintf("feed%03d", n%500) }
		var first, second []cqrsfeed.FeedChange[post.Post]
		for n := range posts {
			first = append(first, appliedPost(n, 1, feed(n), feed(n*7+1)))
			second = append(second, appliedPost(n, 2, feed(n), feed(n*7+1+n%2)))
		}
		_, err = store.Apply(b.Context(), first)
		require.NoError(b, err)
		_, err = store.Recount(b.Context())
		require.NoError(b, err)
		b.StartTimer()
		took := timed(func() {
			for from := 0; from < posts; from += atOnce {
				_, err := store.Apply(b.Context(), second[from:from+atOnce])
				require.NoError(b, err)
			}
		})
		rates = append(rates, rate(posts, took))
	}
	b.ReportMetric(median(rates), "edits/s")
}
