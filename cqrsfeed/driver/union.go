package driver

import (
	"fmt"
	"slices"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

// UnionNames returns the names of a union's feeds, sorted and each once. It returns ErrInvalid for a name that ValidateFeed
// refuses, and for more than limits.MaxUnion names.
func UnionNames(feeds []string) ([]string, error) {
	names := slices.Clone(feeds)
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > limits.MaxUnion {
		return nil, fmt.Errorf("%w: %d feeds in a union, at most %d are allowed", cqrsfeed.ErrInvalid, len(names), limits.MaxUnion)
	}
	for _, name := range names {
		if err := cqrsfeed.ValidateFeed(name); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// NewUnion returns an empty page of a union of feeds, for up to limit items. heads are what the store has of the feeds, in any
// order; a feed that it does not have is empty.
func NewUnion[T any](names []string, heads []cqrsfeed.Feed, limit int) Page[T] {
	page := NewPage[T](cqrsfeed.Feed{}, limit)
	page.Feeds = make([]cqrsfeed.Feed, len(names))
	for i, name := range names {
		page.Feeds[i].Name = name
	}
	for _, head := range heads {
		if i, found := slices.BinarySearch(names, head.Name); found {
			page.Feeds[i] = head
		}
	}
	return page
}
