package speed_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

// BenchmarkPage reads the first page of 50 and one from the middle, of feeds of 1,000 and of 1,000,000 items
// in turn. to-small is the ratio of the medians.
func BenchmarkPage(b *testing.B) {
	const small, large, limit = 1_000, 1_000_000, 50
	p := openPlace(b)
	of := func(size int) (*mongostore.FeedStore[post.Post], string) {
		full, prefix := p.feeds(b)
		fillFeeds(b, full, size)
		// The store that has filled the small feed would remember its head.
		store, err := mongostore.NewFeedStore[post.Post](p.mongo, mongostore.FeedStoreConfig{Name: strings.TrimSuffix(prefix, "_")})
		require.NoError(b, err)
		return store, driver.EncodeCursor(driver.Position{CreatedAt: filled(size / 2), ID: filledID(size / 2)})
	}
	smallStore, smallMiddle := of(small)
	largeStore, largeMiddle := of(large)
	read := func(b *testing.B, store *mongostore.FeedStore[post.Post], cursor string) time.Duration {
		b.Helper()
		return timed(func() {
			page, err := store.Page(b.Context(), tagsOfPipeline[0], cursor, limit)
			require.NoError(b, err)
			require.Len(b, page.Items, limit)
		})
	}
	for _, from := range []struct{ name, small, large string }{{"first", "", ""}, {"middle", smallMiddle, largeMiddle}} {
		b.Run(from.name, func(b *testing.B) {
			var smalls, larges []time.Duration
			for b.Loop() {
				smalls = append(smalls, read(b, smallStore, from.small))
				larges = append(larges, read(b, largeStore, from.large))
			}
			b.ReportMetric(float64(median(larges).Microseconds()), "large-µs")
			b.ReportMetric(float64(median(smalls).Microseconds()), "small-µs")
			b.ReportMetric(float64(median(larges))/float64(median(smalls)), "to-small")
		})
	}
}
