package speed_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/mongostore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

// tagsOfPipeline are the tags of every post of BenchmarkPipeline.
var tagsOfPipeline = []string{"first", "second"} //nolint:gochecknoglobals // a constant

// BenchmarkPipeline has 32 writers create posts with two tags, whose feeds have some size already, until the pages of
// both feeds show all posts: by Repository, Relay and Projector, and by the classic handler. to-classic is the ratio of
// the rates, with feeds of the same size.
//
// The classic handler gets fewer posts, so its feeds grow less. It gets none where its documents cannot take the feeds.
func BenchmarkPipeline(b *testing.B) {
	for _, size := range []int{100, 2_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("%d in a feed", size), func(b *testing.B) {
			p := openPlace(b)
			store, _ := p.feeds(b)
			fillFeeds(b, store, size)
			stopRelay := p.relay(b)
			applied, stopProjecting := p.project(b, store)
			classically := newClassicRounds(b, p, size)

			var ours, theirs, ratios []float64
			for b.Loop() {
				const posts = 2_000
				took := timed(func() {
					createAll(b, p.create(b), fresh("post"), repeated(posts))
					await(applied, posts)
				})
				size += posts
				requireShown(b, store, size)
				ours = append(ours, rate(posts, took))

				b.StopTimer()
				if classicRate := classically.round(b); classicRate > 0 {
					theirs = append(theirs, classicRate)
					ratios = append(ratios, ours[len(ours)-1]/classicRate)
				}
				b.StartTimer()
			}
			stopRelay()
			stopProjecting()
			classically.stop()
			b.ReportMetric(median(ours), "posts/s")
			if len(theirs) > 0 {
				b.ReportMetric(median(theirs), "classic-posts/s")
				b.ReportMetric(median(ratios), "to-classic")
			}
		})
	}
}

// classicRounds runs the classic handler for a while.
type classicRounds struct {
	*classic

	size int
	stop func()
}

func newClassicRounds(b *testing.B, p *place, size int) *classicRounds {
	b.Helper()
	// 16 MB hold less than 60,000 posts, and each post takes the server seconds long before.
	const most = 10_000
	if size > most {
		return &classicRounds{stop: func() {}}
	}
	r := &classicRounds{classic: openClassic(b, p), size: size}
	r.stop = r.run(b)
	return r
}

// round returns the rate of posts into feeds of the size, which at most double.
func (r *classicRounds) round(b *testing.B) float64 {
	b.Helper()
	if r.classic == nil {
		return 0
	}
	for _, tag := range tagsOfPipeline {
		r.fill(b, tag, r.size)
	}
	const longest, some = 10 * time.Second, 3 * writers
	posts, began := 0, time.Now()
	for time.Since(began) < longest && posts+some <= r.size {
		createAll(b, r.create(b), fresh("classic"), repeated(some))
		await(r.applied, some)
		posts += some
	}
	took := time.Since(began)
	for _, tag := range tagsOfPipeline {
		r.shows(b, tag, r.size+posts)
	}
	return rate(posts, took)
}

// repeated are posts with the tags of the pipeline.
func repeated(n int) []post.Post {
	posts := make([]post.Post, n)
	for i := range posts {
		posts[i] = tagged(i, tagsOfPipeline...)
	}
	return posts
}

// fillFeeds puts posts into the feeds of the pipeline.
func fillFeeds(b *testing.B, store *mongostore.FeedStore[post.Post], n int) {
	b.Helper()
	const atOnce = 1000

	for from := 0; from < n; from += atOnce {
		var batch []cqrsfeed.FeedChange[post.Post]
		for i := from; i < min(n, from+atOnce); i++ {
			created := filled(i)
			batch = append(batch, cqrsfeed.FeedChange[post.Post]{Item: cqrsfeed.Item[post.Post]{
				ID: filledID(i), Version: 1, Body: tagged(i, tagsOfPipeline...), CreatedAt: created, UpdatedAt: created,
			}, Feeds: tagsOfPipeline})
		}
		_, err := store.Apply(b.Context(), batch)
		require.NoError(b, err)
	}
	_, err := store.Recount(b.Context())
	require.NoError(b, err)
}

// filled returns the time of creation of the ith post of fillFeeds, and filledID its ID.
func filled(i int) time.Time { return time.Unix(int64(i), 0) }
func filledID(i int) string  { return fmt.Sprintf("filled-%07d", i) }

// requireShown walks the pages of the feeds.
func requireShown(b *testing.B, store *mongostore.FeedStore[post.Post], n int) {
	b.Helper()
	for _, tag := range tagsOfPipeline {
		shown, cursor := 0, ""
		for {
			page, err := store.Page(b.Context(), tag, cursor, limits.MaxPageLimit)
			require.NoError(b, err)
			shown += len(page.Items)
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		require.Equal(b, n, shown, "posts in feed %s", tag)
	}
}
