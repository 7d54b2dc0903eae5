// Package feedmodel has what the conformance suites and the crash kit compare stores with: states of items, the feeds
// that follow from them, and random histories.
package feedmodel

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// Body is the application value that the suites store.
type Body struct {
	Text string   `json:"text"`
	Tags []string `json:"tags"`
	// Score is rarely set. NaN cannot be encoded.
	Score float64 `json:"score,omitempty"`
}

// Change is a state of an item with its feeds.
type Change = cqrsfeed.FeedChange[Body]

// Epoch returns when the first items are created. It has microseconds that a store must keep.
func Epoch() time.Time { return time.Date(2024, time.March, 1, 12, 0, 0, 123_457_000, time.UTC) }

// State returns a version of an item that was created minutes after the Epoch. Its body names the feeds.
func State(id string, version int64, minutes int, feeds ...string) Change {
	created := Epoch().Add(time.Duration(minutes) * time.Minute)
	return Change{
		Item: cqrsfeed.Item[Body]{
			ID: id, Version: version, CreatedAt: created,
			UpdatedAt: created.Add(time.Duration(version-1) * time.Second),
			Body:      Body{Text: fmt.Sprintf("%s as of %d", id, version), Tags: append([]string{}, feeds...)},
		},
		Feeds: feeds,
	}
}

// Tombstone returns the version that deletes an item.
func Tombstone(id string, version int64, minutes int) Change {
	c := State(id, version, minutes)
	c.Item.Deleted = true
	return c
}

// Feeds are what a store must show: the items of each feed, newest first. It has the feeds that are empty again.
type Feeds map[string][]cqrsfeed.Item[Body]

// Fold returns the feeds of changes in any order: the highest version of each item counts.
func Fold(changes []Change) Feeds {
	newest := make(map[string]Change)
	feeds := make(Feeds)
	for _, c := range changes {
		if known, ok := newest[c.Item.ID]; !ok || c.Item.Version > known.Item.Version {
			newest[c.Item.ID] = c
		}
		for _, feed := range c.Feeds {
			feeds[feed] = nil
		}
	}
	for _, c := range newest {
		for _, feed := range c.Feeds {
			feeds[feed] = append(feeds[feed], c.Item)
		}
	}
	for _, items := range feeds {
		slices.SortFunc(items, newestFirst)
	}
	return feeds
}

func newestFirst(a, b cqrsfeed.Item[Body]) int {
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
