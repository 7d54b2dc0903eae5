package mongostore

import "github.com/feedmill/feedmill/cqrsfeed"

// Bulk returns the store in a form that is faster for items that are most likely new.
func (s *FeedStore[T]) Bulk() cqrsfeed.FeedStore[T] {
	bulk := *s
	bulk.bulk = true
	return &bulk
}
