package readmodel

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// DriftKind is the way in which a read model differs from the write model.
type DriftKind string

// The kinds of drift.
const (
	// DriftVersion is an item of which the read model has not the version of the write model.
	DriftVersion DriftKind = "version"
	// DriftFeeds is an item that is on record for other feeds, or for another time, than it should.
	DriftFeeds DriftKind = "feeds"
	// DriftEntry is an entry that is missing, or does not have the content of its item.
	DriftEntry DriftKind = "entry"
	// DriftOrphan is an item that the write model does not know.
	DriftOrphan DriftKind = "orphan"
	// DriftStray is an entry that no record accounts for.
	DriftStray DriftKind = "stray"
	// DriftCount is a feed that tells another count than it has entries.
	DriftCount DriftKind = "count"
	// DriftRefused is an item that can never be applied, and cannot be healed.
	DriftRefused DriftKind = "refused"
)

// Drift is one difference. Of an item the first of its differences is told, and all are healed.
type Drift struct {
	Kind DriftKind
	// Item is the id, "" for a count. Feed is "" where no single feed is meant.
	Item, Feed string
	// Want and Got say for people what the write model has and what the read model.
	Want, Got string
	// Healed says that the difference was put right.
	Healed bool
}

// String says all in one line.
func (d Drift) String() string {
	var b strings.Builder
	b.WriteString(string(d.Kind))
	if d.Item != "" {
		fmt.Fprintf(&b, " of item %q", d.Item)
	}
	if d.Feed != "" {
		fmt.Fprintf(&b, " in feed %q", d.Feed)
	}
	fmt.Fprintf(&b, ": want %s, got %s", d.Want, d.Got)
	if d.Healed {
		b.WriteString(" (healed)")
	}
	return b.String()
}

// driftOf is the first difference between the state that an item has to have and what a store has of it;
// entries are those at the places of the state.
func driftOf[T any](want cqrsfeed.FeedChange[T], got StoredItem, entries map[Place]StoredEntry) (Drift, bool) {
	item := want.Item
	if got.Version != item.Version || got.Applied != item.Version {
		return Drift{
			Kind: DriftVersion, Item: item.ID,
			Want: fmt.Sprintf("version %d", item.Version), Got: describeVersion(got),
		}, true
	}
	places := PlacesOf(want)
	if wanted, recorded := setOf(places), setOf(got.Places); !maps.Equal(wanted, recorded) {
		return Drift{Kind: DriftFeeds, Item: item.ID, Want: describePlaces(wanted), Got: describePlaces(recorded)}, true
	}
	for _, at := range places {
		entry, exists := entries[at.at()]
		if difference := entryDifference(item, entry, exists); difference != "" {
			return Drift{
				Kind: DriftEntry, Item: item.ID, Feed: at.Feed,
				Want: fmt.Sprintf("version %d", item.Version), Got: difference,
			}, true
		}
	}
	return Drift{}, false
}

func describeVersion(got StoredItem) string {
	switch {
	case got.Version == 0:
		return "nothing"
	case got.Version != got.Applied:
		return fmt.Sprintf("version %d, applied up to %d", got.Version, got.Applied)
	default:
		return fmt.Sprintf("version %d", got.Version)
	}
}

func setOf(places []Place) map[Place]bool {
	set := make(map[Place]bool, len(places))
	for _, at := range places {
		set[at.at()] = true
	}
	return set
}

// describePlaces names a few feeds. The times matter only where the feeds are the same.
func describePlaces(places map[Place]bool) string {
	const most = 10
	names := make([]string, 0, len(places))
	for at := range places {
		names = append(names, fmt.Sprintf("%q as of %s", at.Feed, at.CreatedAt.Format("2006-01-02 15:04:05.000000")))
	}
	slices.Sort(names)
	if len(names) == 0 {
		return "no feed"
	}
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// entryDifference says how an entry differs from its item, "" when it does not.
func entryDifference[T any](item cqrsfeed.Item[T], entry StoredEntry, exists bool) string {
	switch {
	case !exists:
		return "no entry"
	case entry.Version != item.Version:
		return fmt.Sprintf("version %d", entry.Version)
	case entry.UpdatedAt.UnixMicro() != item.UpdatedAt.UnixMicro():
		return fmt.Sprintf("an update at %s instead of %s", entry.UpdatedAt, item.UpdatedAt)
	}
	// Readers see the body as T. What T does not know, or has by default, makes no difference to them.
	var got T
	if err := json.Unmarshal(entry.Body, &got); err != nil {
		return fmt.Sprintf("a body that does not decode: %v", err)
	}
	wantJSON, err := json.Marshal(item.Body)
	if err != nil {
		return fmt.Sprintf("a body that cannot be compared: %v", err)
	}
	gotJSON, err := json.Marshal(got)
	if err != nil {
		return fmt.Sprintf("a body that cannot be compared: %v", err)
	}
	if !bytes.Equal(wantJSON, gotJSON) {
		return "another body"
	}
	return ""
}
