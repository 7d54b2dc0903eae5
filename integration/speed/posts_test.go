package speed_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

// tags is the number of different tags.
const tags = 1000

// tagged returns a post of usual length with these tags.
func tagged(n int, with ...string) post.Post {
	return post.Post{
		Title:   fmt.Sprintf("Post number %d", n),
		Content: strings.Repeat("Some words about it. ", 8) + "#" + strings.Join(with, " #"),
		Author:  "somebody",
		Tags:    with,
	}
}

// manyPosts returns posts with two tags each. A few tags are frequent and most are rare, as hashtags are. The posts are
// the same each time.
func manyPosts(n int) []post.Post {
	random := rand.New(rand.NewPCG(1, 2))
	frequency := rand.NewZipf(random, 1.1, 10, tags-1)
	posts := make([]post.Post, n)
	for i := range posts {
		first, second := frequency.Uint64(), frequency.Uint64()
		for first == second {
			second = frequency.Uint64()
		}
		names := []string{fmt.Sprintf("tag%03d", first), fmt.Sprintf("tag%03d", second)}
		slices.Sort(names)
		posts[i] = tagged(i, names...)
	}
	return posts
}

func feedsOf(item cqrsfeed.Item[post.Post]) []string { return item.Body.Tags }

// writers is the number of concurrent writers.
const writers = 32

// createAll writes posts, and returns when all are committed.
func createAll(b *testing.B, create func(id string, body post.Post) error, prefix string, posts []post.Post) {
	b.Helper()
	var next atomic.Int64
	var working sync.WaitGroup
	errs := make([]error, writers)
	for w := range writers {
		working.Go(func() {
			for errs[w] == nil {
				i := int(next.Add(1)) - 1
				if i >= len(posts) {
					return
				}
				errs[w] = create(fmt.Sprintf("%s-%07d", prefix, i), posts[i])
			}
		})
	}
	working.Wait()
	for _, err := range errs {
		require.NoError(b, err)
	}
}
