package cqrsfeed

import (
	"fmt"
	"slices"
)

// NewFeedChange returns the state of an item with the feeds that feedsOf returns for it, each once. A deleted item has
// none. The error wraps ErrInvalid if Validate refuses the change or feedsOf panics. Repositories, projections, rebuilds and
// audits all use NewFeedChange, so they agree. It clears Encoded if Body was changed since it was decoded.
func NewFeedChange[T any](item Item[T], feedsOf func(Item[T]) []string) (change FeedChange[T], err error) {
	item.Settle()
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("%w: feeds of item %q: panic: %v", ErrInvalid, item.ID, reason)
		}
	}()
	change = FeedChange[T]{Item: item}
	if !item.Deleted {
		change.Feeds = slices.Compact(slices.Sorted(slices.Values(feedsOf(item))))
	}
	return change, change.Validate()
}

// Withhold returns the change that withholds a refused version of an item. The item leaves its feeds until a newer version
// is applied, or this version is accepted.
func Withhold[T any](item Item[T]) FeedChange[T] {
	return FeedChange[T]{
		Item:     Item[T]{ID: item.ID, Version: item.Version, CreatedAt: item.CreatedAt, UpdatedAt: item.UpdatedAt},
		Withheld: true,
	}
}

// CheckFeeds returns a check for a repository. It refuses an item whose feeds no store could apply, with the errors of
// NewFeedChange. feedsOf must be safe for concurrent use.
func CheckFeeds[T any](feedsOf func(Item[T]) []string) func(Item[T]) error {
	return func(item Item[T]) error {
		_, err := NewFeedChange(item, feedsOf)
		return err
	}
}
