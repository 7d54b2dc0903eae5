// Package model has the expected results of the conformance suites and the crash kit: states of items, the feeds that follow
// from them, a write model in memory, and random histories.
package model

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// Feeds are the feeds that a store must show, with their items, newest first. Feeds that became empty are included.
type Feeds map[string][]cqrsfeed.Item[Body]

// Fold returns the feeds after changes in any order, which are those of the newest state of each item.
func Fold(changes []Change) Feeds {
	newest := make(map[string]Change)
	feeds := make(Feeds)
	for _, c := range changes {
		if known, ok := newest[c.Item.ID]; !ok || known.State().Before(c.State()) {
			newest[c.Item.ID] = c
		}
		for _, feed := range c.Feeds {
			feeds[feed] = nil
		}
	}
	for _, c := range newest {
		if c.Hidden() {
			continue
		}
		for _, feed := range c.Feeds {
			feeds[feed] = append(feeds[feed], c.Item)
		}
	}
	for _, items := range feeds {
		slices.SortFunc(items, NewestFirst)
	}
	return feeds
}

// NewestFirst orders items as pages do.
func NewestFirst(a, b cqrsfeed.Item[Body]) int {
	return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), strings.Compare(b.ID, a.ID))
}

// Sizes returns the number of items of the feeds that have any.
func (f Feeds) Sizes() map[string]int64 {
	sizes := make(map[string]int64)
	for feed, items := range f {
		if len(items) > 0 {
			sizes[feed] = int64(len(items))
		}
	}
	return sizes
}

// Describe returns ids and versions, so that differences between feeds are readable.
func Describe(items []cqrsfeed.Item[Body]) []string {
	lines := []string{}
	for _, item := range items {
		lines = append(lines, fmt.Sprintf("%s v%d", item.ID, item.Version))
	}
	return lines
}
