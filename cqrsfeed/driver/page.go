package driver

import (
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

// PageLimit returns the limit that a store applies: DefaultPageLimit for zero or less, and at most MaxPageLimit.
func PageLimit(limit int) int {
	if limit <= 0 {
		return limits.DefaultPageLimit
	}
	return min(limit, limits.MaxPageLimit)
}

// Page is a page of a feed that a store fills item by item, newest first. To know whether another page follows, a
// store reads one item more than the limit.
type Page[T any] struct {
	cqrsfeed.FeedPage[T]

	limit, bytes int
	last         Position // of the last item, whether it was skipped or not
}

// NewPage returns an empty page of a feed, for up to limit items.
func NewPage[T any](feed cqrsfeed.Feed, limit int) Page[T] {
	return Page[T]{FeedPage: cqrsfeed.FeedPage[T]{Feed: feed, Items: []cqrsfeed.Item[T]{}}, limit: limit}
}

// Add adds the next item and decodes its body from Encoded. It skips an item that cannot be decoded. If the page has limit items,
// or would have more than MaxPageBytes, Add sets Next and returns false: the page is complete.
func (p *Page[T]) Add(item cqrsfeed.Item[T]) bool {
	p.bytes += len(item.Encoded)
	if n := len(p.Items) + len(p.Skipped); n == p.limit || n > 0 && p.bytes > limits.MaxPageBytes {
		p.Next = EncodeCursor(p.last)
		return false
	}
	p.last = Position{CreatedAt: item.CreatedAt, ID: item.ID}
	if undecodable := item.DecodeBody(); undecodable != nil {
		p.Skipped = append(p.Skipped, Undecodable(undecodable)...)
		return true
	}
	p.Items = append(p.Items, item)
	return true
}
