package feedmill

import (
	"context"
	"fmt"
	"net/http"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/ssestream"
)

// feedListSize is the number of feeds of a FeedList.
const feedListSize = 200

// FeedList is a part of the list of all feeds that have items, ordered by name.
type FeedList struct {
	// Feeds is never nil.
	Feeds []cqrsfeed.Feed `json:"feeds"`
	// Next is the cursor of the next part: the name of the last of the Feeds, or "" if there is no more.
	Next string `json:"next"`
}

// List returns an adapter for the list of all feeds that have items, 200 at a time. The parameter cursor is the Next of the
// part before, or any name to begin after. A stream can follow only the first part. The result of view is encoded as JSON. A
// nil view returns the FeedList.
func (f *Feeds[T]) List(view func(FeedList) any) *FeedAdapter {
	if view == nil {
		view = func(list FeedList) any { return list }
	}
	const first = "" // the key of the beginning; the others have the name to begin after
	return mustBuild(ssestream.AdapterBuilder[cqrsfeed.FeedUpdated, any]{
		RequestKey: func(r *http.Request) (string, error) {
			after := r.URL.Query().Get("cursor")
			if after == "" {
				return first, nil
			}
			if err := cqrsfeed.ValidateFeed(after); err != nil {
				return "", fmt.Errorf("%w: %w", cqrsfeed.ErrBadCursor, err)
			}
			if ssestream.WantsStream(r) {
				return "", fmt.Errorf("%w: a stream follows the beginning of the list", cqrsfeed.ErrBadCursor)
			}
			return after, nil
		},
		EventKeys: func(cqrsfeed.FeedUpdated) []string { return []string{first} },
		Load: func(ctx context.Context, after string) (any, error) {
			feeds, err := f.config.Store.Feeds(ctx, after, feedListSize+1)
			if err != nil {
				return nil, err
			}
			list := FeedList{Feeds: append([]cqrsfeed.Feed{}, feeds...)}
			if len(feeds) > feedListSize {
				list.Feeds = list.Feeds[:feedListSize]
				list.Next = list.Feeds[feedListSize-1].Name
			}
			return view(list), nil
		},
		Compress: f.config.Compress,
	})
}
