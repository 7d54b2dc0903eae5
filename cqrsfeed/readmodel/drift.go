package readmodel

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// DriftKind is the way in which a read model differs from the write model.
type DriftKind string

// The kinds of drift.
const (
	// DriftVersion is an item of which the read model has another version, or none.
	DriftVersion DriftKind = "version"
	// DriftFeeds is an item that is in other feeds than it belongs to.
	DriftFeeds DriftKind = "feeds"
	// DriftContent is an item with another body or other times.
	DriftContent DriftKind = "content"
	// DriftOrphan is an item that the write model does not have.
	DriftOrphan DriftKind = "orphan"
	// DriftCount is a feed whose recorded count is not the number of its items.
	DriftCount DriftKind = "count"
	// DriftRefused is an item that can never be applied, and so not repaired.
	DriftRefused DriftKind = "refused"
)

// Drift is one difference. An item has one drift, for the first difference that was found; a repair corrects all.
type Drift struct {
	Kind DriftKind
	// Item is the id of the item, or Feed the name of the feed; the other is "".
	Item, Feed string
	// Want and Got describe what the write model and the read model have.
	Want, Got string
	// Repaired reports that the difference was corrected.
	Repaired bool
}

// String describes the drift in one line.
func (d Drift) String() string {
	var b strings.Builder
	b.WriteString(string(d.Kind))
	if d.Item != "" {
		fmt.Fprintf(&b, " of item %q", d.Item)
	}
	if d.Feed != "" {
		fmt.Fprintf(&b, " of feed %q", d.Feed)
	}
	fmt.Fprintf(&b, ": want %s, got %s", d.Want, d.Got)
	if d.Repaired {
		b.WriteString(" (repaired)")
	}
	return b.String()
}

// driftOf returns the first difference between the state that an item must have and what the store has.
func driftOf[T any](want cqrsfeed.FeedChange[T], got StoredItem) (Drift, bool) {
	drift := Drift{Item: want.Item.ID}
	switch {
	case got.Version != want.Item.Version:
		drift.Kind, drift.Want, drift.Got = DriftVersion, fmt.Sprintf("version %d", want.Item.Version), describeVersion(got)
	case !slices.Equal(want.Feeds, got.Feeds):
		drift.Kind, drift.Want, drift.Got = DriftFeeds, describeFeeds(want.Feeds), describeFeeds(got.Feeds)
	case len(want.Feeds) > 0:
		drift.Kind, drift.Want, drift.Got = DriftContent, fmt.Sprintf("version %d as written", want.Item.Version), contentDifference(want.Item, got)
	}
	return drift, drift.Got != ""
}

func describeVersion(got StoredItem) string {
	if got.Version == 0 {
		return "nothing"
	}
	return fmt.Sprintf("version %d", got.Version)
}

func describeFeeds(feeds []string) string {
	const most = 10
	switch {
	case len(feeds) == 0:
		return "no feed"
	case len(feeds) > most:
		return fmt.Sprintf("%q and %d more", feeds[:most], len(feeds)-most)
	default:
		return fmt.Sprintf("%q", feeds)
	}
}

// contentDifference describes how what pages show differs from the item, and returns "" if it does not. Bodies are
// compared as values of T: JSON that T does not know is not seen by readers.
func contentDifference[T any](item cqrsfeed.Item[T], got StoredItem) string {
	if got.CreatedAt.UnixMicro() != item.CreatedAt.UnixMicro() {
		return fmt.Sprintf("creation at %s instead of %s", got.CreatedAt, item.CreatedAt)
	}
	if got.UpdatedAt.UnixMicro() != item.UpdatedAt.UnixMicro() {
		return fmt.Sprintf("update at %s instead of %s", got.UpdatedAt, item.UpdatedAt)
	}
	var body T
	if err := json.Unmarshal(got.Body, &body); err != nil {
		return fmt.Sprintf("a body that does not decode: %v", err)
	}
	wantJSON, err := json.Marshal(item.Body)
	if err != nil {
		return fmt.Sprintf("a body that cannot be compared: %v", err)
	}
	gotJSON, err := json.Marshal(body)
	if err != nil {
		return fmt.Sprintf("a body that cannot be compared: %v", err)
	}
	if !bytes.Equal(wantJSON, gotJSON) {
		return "another body"
	}
	return ""
}
