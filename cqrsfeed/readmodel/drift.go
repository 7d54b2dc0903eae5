package readmodel

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// DriftKind is the way in which a read model differs from the write model.
type DriftKind string

// The kinds of drift.
const (
	// DriftVersion is an item that has another version in the read model, or none.
	DriftVersion DriftKind = "version"
	// DriftFeeds is an item that is in other feeds than it belongs to.
	DriftFeeds DriftKind = "feeds"
	// DriftRule is an item that is in other feeds than it belongs to, because FeedsOf of another RuleVersion placed it.
	// Rebuild moves items of an older rule.
	DriftRule DriftKind = "rule"
	// DriftContent is an item with another body or other times.
	DriftContent DriftKind = "content"
	// DriftOrphan is an item that the write model does not have.
	DriftOrphan DriftKind = "orphan"
	// DriftCount is a feed whose recorded count is not the number of its items.
	DriftCount DriftKind = "count"
	// DriftWithheld is an item that was withheld from its feeds, and that FeedsOf and the store accept now.
	DriftWithheld DriftKind = "withheld"
	// DriftRefused is an item that can never be applied. A repair withholds it from its feeds, since readers must not see an
	// older version. It stays a drift until the item or FeedsOf changes.
	DriftRefused DriftKind = "refused"
	// DriftUndecodable is an item whose body this release cannot decode, so Audit cannot compare it. A repair withholds it
	// from its feeds if the read model has an older version. It stays a drift.
	DriftUndecodable DriftKind = "undecodable"
)

// Drift is one difference. An item has one Drift, for the first difference that was found. A repair corrects all of them.
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

// driftOf returns the first difference between the state that an item must have and the state in the store.
func driftOf[T any](want cqrsfeed.FeedChange[T], got StoredItem) (Drift, bool) {
	drift := Drift{Item: want.Item.ID}
	switch {
	case got.Version != want.Item.Version:
		drift.Kind, drift.Want, drift.Got = DriftVersion, fmt.Sprintf("version %d", want.Item.Version), describeVersion(got)
	case got.Withheld && !want.Hidden():
		drift.Kind, drift.Want, drift.Got = DriftWithheld, describeFeeds(want.Feeds), describeVersion(got)
	case !slices.Equal(want.Feeds, got.Feeds) && got.Rule != want.Rule:
		drift.Kind = DriftRule
		drift.Want = fmt.Sprintf("%s by rule %d", describeFeeds(want.Feeds), want.Rule)
		drift.Got = fmt.Sprintf("%s by rule %d", describeFeeds(got.Feeds), got.Rule)
	case !slices.Equal(want.Feeds, got.Feeds):
		drift.Kind, drift.Want, drift.Got = DriftFeeds, describeFeeds(want.Feeds), describeFeeds(got.Feeds)
	case len(want.Feeds) > 0:
		drift.Kind, drift.Want, drift.Got = DriftContent, fmt.Sprintf("version %d as written", want.Item.Version), contentDifference(want.Item, got)
	}
	return drift, drift.Got != ""
}

func describeVersion(got StoredItem) string {
	switch {
	case got.Version == 0:
		return "nothing"
	case got.Withheld:
		return fmt.Sprintf("version %d, withheld", got.Version)
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

// contentDifference describes how the stored content differs from the item. It returns "" if it does not.
func contentDifference[T any](item cqrsfeed.Item[T], got StoredItem) string {
	if got.CreatedAt.UnixMicro() != item.CreatedAt.UnixMicro() {
		return fmt.Sprintf("creation at %s instead of %s", got.CreatedAt, item.CreatedAt)
	}
	if got.UpdatedAt.UnixMicro() != item.UpdatedAt.UnixMicro() {
		return fmt.Sprintf("update at %s instead of %s", got.UpdatedAt, item.UpdatedAt)
	}
	if got.Decoded {
		item.Encoded = nil
	}
	want, err := item.EncodedBody()
	if err != nil {
		return fmt.Sprintf("a body that cannot be compared: %v", err)
	}
	switch {
	case bytes.Equal(want, got.Body):
		return ""
	case len(item.Encoded) > 0:
		return "another body"
	}
	// The source encodes items itself, maybe with fields that it did not have yet.
	stored := cqrsfeed.Item[T]{Encoded: got.Body}
	if err := stored.DecodeBody(); err != nil {
		return fmt.Sprintf("a body that does not decode: %v", errors.Unwrap(err))
	}
	stored.Encoded = nil
	if again, err := stored.EncodedBody(); err != nil || !bytes.Equal(want, again) {
		return "another body"
	}
	return ""
}
