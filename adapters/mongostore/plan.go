package mongostore

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// MaxItemBytes is how large the body of an item, as JSON, and the names of its feeds may be together. Apply refuses
// larger items with cqrsfeed.ErrInvalid. A document of MongoDB has at most 16 MB; the rest is for the
// names of feeds that the item left.
const MaxItemBytes = 14 << 20

// plan is what a batch does to one item.
type plan struct {
	// next is the newest state in the batch.
	next itemDocument
	// older are the feeds of the older states in the batch.
	older []string
	// first reports whether the batch has version 1, so that the item is most likely new.
	first bool
	// several reports whether the batch has several states of the item.
	several bool

	// stored is the item in the store, without its body, as it was last read or written; it is there if exists.
	stored itemDocument
	exists bool
	// written reports whether this batch wrote next, rather than an earlier delivery.
	written bool
}

// current reports whether the store has the plan's version, whoever wrote it.
func (p *plan) current() bool { return p.exists && p.stored.Version == p.next.Version }

// stale reports whether the store has a version that is older than the plan's.
func (p *plan) stale() bool { return p.exists && p.stored.Version < p.next.Version }

// replacement is the document that takes the place of the stored one.
func (p *plan) replacement() itemDocument {
	document := p.next
	document.Left = without(union(p.stored.Left, p.stored.Feeds), document.Feeds)
	document.Past = p.stored.Past
	return document
}

// toBump are the feeds that have to be bumped before the batch is acknowledged. While the store has the plan's version,
// nobody can tell whether all of them were.
func (p *plan) toBump() []string {
	if !p.current() {
		return nil
	}
	return union(p.stored.Feeds, p.stored.Left)
}

// toTell are the feeds that are announced without a bump: where the message may be here for the second time, all
// feeds whose first announcement may have been lost.
func (p *plan) toTell() []string {
	if p.written && !p.several {
		return nil
	}
	return slices.Concat(p.next.Feeds, p.older, p.stored.Feeds, p.stored.Left, p.stored.Past)
}

// planItems validates a batch and sorts it by item.
func planItems[T any](batch []cqrsfeed.FeedChange[T]) ([]*plan, error) {
	newest := make(map[string]cqrsfeed.FeedChange[T], len(batch))
	plans := make(map[string]*plan, len(batch))
	var problems []error
	for _, change := range batch {
		if err := change.Validate(); err != nil {
			problems = append(problems, err)
			continue
		}
		id := change.Item.ID
		p, known := plans[id]
		if !known {
			p = &plan{}
			plans[id] = p
		}
		p.several = known
		p.first = p.first || change.Item.Version == 1
		if before, known := newest[id]; !known || change.Item.Version > before.Item.Version {
			newest[id] = change
		}
		p.older = append(p.older, feedsOf(change)...)
	}
	for id, p := range plans {
		var err error
		if p.next, err = documentOf(newest[id]); err != nil {
			problems = append(problems, err)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return slices.SortedFunc(maps.Values(plans), byItem), nil
}

// byItem is the order in which plans are written.
func byItem(a, b *plan) int { return strings.Compare(a.next.ID, b.next.ID) }

// documentOf is the document of a state, if there is none of the item yet.
func documentOf[T any](change cqrsfeed.FeedChange[T]) (itemDocument, error) {
	item := change.Item
	document := itemDocument{
		ID: item.ID, Version: item.Version, Position: newPosition(item.CreatedAt, item.ID),
		Updated: item.UpdatedAt.UnixMicro(), Feeds: union(feedsOf(change)),
	}
	body, err := json.Marshal(item.Body)
	switch {
	case err != nil:
		return document, fmt.Errorf("%w: encode body of item %q: %w", cqrsfeed.ErrInvalid, item.ID, err)
	case !utf8.Valid(body):
		return document, fmt.Errorf("%w: body of item %q is not valid UTF-8", cqrsfeed.ErrInvalid, item.ID)
	}
	if !item.Deleted {
		document.Body = string(body)
	}
	if size := document.size(); size > MaxItemBytes {
		return document, fmt.Errorf("%w: body and feeds of item %q have %d bytes, at most %d are allowed",
			cqrsfeed.ErrInvalid, item.ID, size, MaxItemBytes)
	}
	return document, nil
}

// feedsOf are the feeds of a state. A deleted item is in none.
func feedsOf[T any](change cqrsfeed.FeedChange[T]) []string {
	if change.Item.Deleted {
		return nil
	}
	return change.Feeds
}
