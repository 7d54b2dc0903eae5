package cqrsfeed

import "fmt"

// CheckFeeds returns a check for a repository: it refuses an item whose feeds, as feedsOf names them, no store could apply.
// Errors are those of FeedChange.Validate and wrap ErrInvalid. A panic of feedsOf is returned as such an error too, since
// the projection of the item would panic in the same way. feedsOf must be safe for concurrent use.
func CheckFeeds[T any](feedsOf func(Item[T]) []string) func(Item[T]) error {
	return func(item Item[T]) (err error) {
		defer func() {
			if reason := recover(); reason != nil {
				err = fmt.Errorf("%w: feeds of item %q: panic: %v", ErrInvalid, item.ID, reason)
			}
		}()
		return NewFeedChange(item, feedsOf).Validate()
	}
}
