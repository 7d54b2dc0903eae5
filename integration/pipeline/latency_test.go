package pipeline_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/feedmill/feedmill/examples/microblog/api"
)

// testLatency logs the time from sending a post to the event that shows it in a window, one post after the other. It
// requires nothing of the time.
func testLatency(t *testing.T, s *site) {
	t.Helper()
	const posts = 50
	feed := openFeed(t, s, "latency")
	var took []time.Duration
	for i := range posts {
		start := time.Now()
		p := s.create(t, fmt.Sprintf("number %d of #latency", i))
		feed.shows(t, "the post", func(page api.FeedPage) bool { return len(page.Posts) > 0 && page.Posts[0].ID == p.ID })
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	t.Logf("from POST to event: median %s, 90th percentile %s, of %d posts", took[posts/2], took[posts*9/10], posts)
}
