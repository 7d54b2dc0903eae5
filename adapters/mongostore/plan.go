package mongostore

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// plan is the change of one item by a batch.
type plan struct {
	// next is the newest state in the batch.
	next itemDocument
	// older are the feeds of the older states in the batch.
	older []string
	// first reports whether the batch has version 1, so that the item is most likely new.
	first bool
	// several reports whether the batch contains several states of the item.
	several bool

	// stored is the item in the store, without its body, as it was last read or written. It is set if exists.
	stored itemDocument
	exists bool
	// written reports whether this batch wrote next, rather than an earlier delivery.
	written bool
	// inserted reports whether there was no document of the item when this batch wrote it.
	inserted bool
}

// current reports whether the store has the plan's version, in any state and from any writer.
func (p *plan) current() bool { return p.exists && p.stored.Version == p.next.Version }

// stale reports whether the store has a state that is older than the plan's.
func (p *plan) stale() bool { return p.exists && p.stored.state().Before(p.next.state()) }

// replacement is the document that replaces the stored one.
func (p *plan) replacement() itemDocument {
	document := p.next
	document.Left = without(union(p.stored.Left, p.stored.Feeds), document.Feeds)
	document.Past = p.stored.Past
	return document
}

// toBump are the feeds that must be bumped before the batch is acknowledged. While the store has the plan's version,
// the store cannot know whether all of them were.
func (p *plan) toBump() []string {
	if !p.current() {
		return nil
	}
	return union(p.stored.Feeds, p.stored.Left)
}

// toTell are the feeds that are announced without a bump. If the message may be a redelivery, these are all feeds whose
// first announcement may have been lost.
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
		p.first = p.first || change.Item.Version == 1 && !change.Withheld
		if before, known := newest[id]; !known || before.State().Before(change.State()) {
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

// byItem is the order of writes.
func byItem(a, b *plan) int { return strings.Compare(a.next.ID, b.next.ID) }

// documentOf is the document of a new item in the state.
func documentOf[T any](change cqrsfeed.FeedChange[T]) (itemDocument, error) {
	item := change.Item
	document := itemDocument{
		ID: item.ID, Version: item.Version, Rule: change.Rule, Position: newPosition(item.CreatedAt, item.ID),
		Updated: item.UpdatedAt.UnixMicro(), Feeds: union(feedsOf(change)),
		Withheld: change.State().Withheld,
	}
	if change.Hidden() {
		return document, nil
	}
	// A document of MongoDB has at most 16 MB, which is enough for the largest body and for the most feeds three times.
	body, err := item.EncodedBody()
	if err != nil {
		return document, fmt.Errorf("item %q version %d: %w", item.ID, item.Version, err)
	}
	document.Body = string(body)
	return document, nil
}

// feedsOf are the feeds of a state. A hidden state has none.
func feedsOf[T any](change cqrsfeed.FeedChange[T]) []string {
	if change.Hidden() {
		return nil
	}
	return change.Feeds
}
