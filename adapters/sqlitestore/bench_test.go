package sqlitestore_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

// BenchmarkFeedStore measures a store whose items are in the feed "all" and in one of 100 others, with bodies of
// about 200 bytes.
func BenchmarkFeedStore(b *testing.B) {
	for _, items := range []int{1_000, 100_000} {
		store := benchmarkStore(b, items)
		middle := driver.EncodeCursor(driver.Position{CreatedAt: benchmarkItem(items/2, 1).Item.CreatedAt, ID: "x"})
		for name, cursor := range map[string]string{"first": "", "middle": middle} {
			b.Run(fmt.Sprintf("Page/%s/%d", name, items), func(b *testing.B) {
				for b.Loop() {
					page, err := store.Page(b.Context(), "all", cursor, 50)
					require.NoError(b, err)
					require.Len(b, page.Items, 50)
				}
			})
		}
		version, created := int64(1), items
		b.Run(fmt.Sprintf("Apply/create/%d", items), func(b *testing.B) {
			for b.Loop() {
				created++
				_, err := store.Apply(b.Context(), []feedChange{benchmarkItem(created, 1)})
				require.NoError(b, err)
			}
		})
		for name, feeds := range map[string]int{"edit": 0, "move": 1} {
			b.Run(fmt.Sprintf("Apply/%s/%d", name, items), func(b *testing.B) {
				for b.Loop() {
					version++
					change := benchmarkItem(items/2+int(version)%100, version)
					if feeds > 0 {
						change.Feeds = []string{"all", fmt.Sprintf("tag-%d", version%100)}
					}
					_, err := store.Apply(b.Context(), []feedChange{change})
					require.NoError(b, err)
				}
			})
		}
		b.Run(fmt.Sprintf("Apply/1000 creates/%d", items), func(b *testing.B) {
			for b.Loop() {
				var batch []feedChange
				for range 1000 {
					created++
					batch = append(batch, benchmarkItem(created, 1))
				}
				_, err := store.Apply(b.Context(), batch)
				require.NoError(b, err)
			}
		})
	}
}

func benchmarkStore(b *testing.B, items int) *sqlitestore.FeedStore[cqrsfeedtest.Body] {
	b.Helper()
	db := openDB(b, sqlitestore.DSN(b.TempDir()+"/feeds.db"))
	inner, err := sqlitestore.New(db, sqlitestore.Config{})
	require.NoError(b, err)
	store, err := sqlitestore.NewFeedStore[cqrsfeedtest.Body](inner, "item")
	require.NoError(b, err)
	require.NoError(b, inner.EnsureSchema(b.Context()))
	for first := 0; first < items; first += 1000 {
		var batch []feedChange
		for i := first; i < first+1000; i++ {
			batch = append(batch, benchmarkItem(i, 1))
		}
		_, err := store.Apply(b.Context(), batch)
		require.NoError(b, err)
	}
	return store
}

// benchmarkItem has an ID that sorts in another order than the times, as random IDs do.
func benchmarkItem(i int, version int64) feedChange {
	created := time.UnixMicro(1_700_000_000_000_000 + int64(i)*1000)
	return feedChange{
		Item: cqrsfeed.Item[cqrsfeedtest.Body]{
			ID: fmt.Sprintf("%08x-post-%d", uint32(i)*2654435761, i), Version: version, CreatedAt: created, UpdatedAt: created,
			Body: cqrsfeedtest.Body{Text: fmt.Sprintf("version %d %s", version, strings.Repeat("word ", 34)), Tags: []string{"all"}},
		},
		Feeds: []string{"all", fmt.Sprintf("tag-%d", i%100)},
	}
}

// BenchmarkUnion has pages of 50 items of 1 to 200 feeds beside a page of one feed, of 100,000 items in two feeds each.
func BenchmarkUnion(b *testing.B) {
	store := benchmarkStore(b, 0)
	feeds := make([]string, 200)
	for i := range feeds {
		feeds[i] = fmt.Sprintf("feed-%d", i)
	}
	for start := 0; start < 100_000; start += 1000 {
		batch := make([]feedChange, 1000)
		for i := range batch {
			n := start + i
			batch[i] = benchmarkItem(n, 1)
			batch[i].Feeds = []string{feeds[n%200], feeds[n*7%200]}
		}
		_, err := store.Apply(b.Context(), batch)
		require.NoError(b, err)
	}
	middle := driver.EncodeCursor(driver.Position{CreatedAt: benchmarkItem(50_000, 1).Item.CreatedAt, ID: "x"})
	for name, cursor := range map[string]string{"first": "", "middle": middle} {
		b.Run("Page/"+name, func(b *testing.B) {
			for b.Loop() {
				page, err := store.Page(b.Context(), feeds[0], cursor, 50)
				require.NoError(b, err)
				require.Len(b, page.Items, 50)
			}
		})
		for _, n := range []int{1, 10, 200} {
			b.Run(fmt.Sprintf("Union/%s/%d", name, n), func(b *testing.B) {
				for b.Loop() {
					page, err := store.Union(b.Context(), feeds[:n], cursor, 50)
					require.NoError(b, err)
					require.Len(b, page.Items, 50)
				}
			})
		}
	}
}
