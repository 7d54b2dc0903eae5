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

// MaxBodyBytes is the largest body, as JSON, that fits a document of the server.
const MaxBodyBytes = 15 << 20

// plan is what one batch has to do for one item.
type plan struct {
	id string
	// version, own, body and updated are those of the newest state in the batch, the candidate.
	version int64
	own     []place
	body    string
	updated int64
	// others are the places of the older states in the batch. An earlier delivery of one may have been cut
	// off after it wrote an entry there, even when newer versions were complete by then; so an older state
	// is never just dropped.
	others []place
	// repeated says that the batch has several states of the item, and first that one of them is the first: then
	// the store most likely has nothing of it.
	repeated, first bool

	// state is what the store knows of the item; claim finds it out.
	state itemDocument
	// won says that this batch's claim set the version of the item, and inserted that it made the record.
	won, inserted bool
}

// current says whether the candidate is the item's version, so that its entries are ours to write.
func (p *plan) current() bool { return p.state.Version == p.version }

// done says whether the candidate was complete before, so that only the telling is left.
func (p *plan) done() bool { return p.current() && p.state.Done == p.version }

// toWrite are the places where the candidate's entry belongs.
func (p *plan) toWrite() []place {
	if !p.current() || p.done() {
		return nil
	}
	return p.state.Feeds
}

// toClear are the places where an older version may have an entry that is ours to remove: those that the
// batch itself names, and, when the item is ours and not done, all that are on record.
func (p *plan) toClear() []place {
	suspects := [][]place{p.own, p.others}
	if p.current() && !p.done() {
		suspects = append(suspects, p.state.Touched)
	}
	return without(union(suspects...), p.state.Feeds)
}

// toTell are the places whose feeds have to be announced. Beside what is written now these are, when a
// message may be here for a second time, all places that its first delivery can have changed without
// coming to announce it.
func (p *plan) toTell() []place {
	if p.won && !p.repeated {
		return union(p.toWrite(), p.toClear())
	}
	return union(p.own, p.others, p.state.Feeds, p.state.Touched, p.state.Past)
}

// planItems validates a batch and sorts it by item. Nothing of it was written when it returns an error.
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
		first := change.Item.Version == 1
		if !known {
			plans[id] = &plan{id: id, own: placesOf(change), first: first}
			newest[id] = change
			continue
		}
		p.repeated, p.first = true, p.first || first
		if change.Item.Version > newest[id].Item.Version {
			p.others = union(p.others, p.own)
			p.own, newest[id] = placesOf(change), change
		} else {
			p.others = union(p.others, placesOf(change))
		}
	}
	for id, p := range plans {
		item := newest[id].Item
		p.version, p.updated = item.Version, item.UpdatedAt.UnixMicro()
		body, err := encodeBody(item)
		if err != nil {
			problems = append(problems, err)
		}
		p.body = body
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return slices.SortedFunc(maps.Values(plans), func(a, b *plan) int {
		return strings.Compare(a.id, b.id)
	}), nil
}

func encodeBody[T any](item cqrsfeed.Item[T]) (string, error) {
	body, err := json.Marshal(item.Body)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: encode body of item %q: %w", cqrsfeed.ErrInvalid, item.ID, err)
	case len(body) > MaxBodyBytes:
		return "", fmt.Errorf("%w: body of item %q has %d bytes, at most %d are allowed",
			cqrsfeed.ErrInvalid, item.ID, len(body), MaxBodyBytes)
	case !utf8.Valid(body):
		return "", fmt.Errorf("%w: body of item %q is not valid UTF-8", cqrsfeed.ErrInvalid, item.ID)
	}
	return string(body), nil
}

// placesOf are the places of a state: a deleted item has none, whatever it says.
func placesOf[T any](change cqrsfeed.FeedChange[T]) []place {
	if change.Item.Deleted {
		return nil
	}
	places := make([]place, 0, len(change.Feeds))
	for _, feed := range change.Feeds {
		places = append(places, newPlace(feed, change.Item.CreatedAt))
	}
	return union(places)
}
