package feedmill

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/ssestream"
)

// ItemAdapter is an adapter of single items, for ssestream.Router.AddTopicsHandler and ssestream.Stream.
type ItemAdapter[T any] = ssestream.Adapter[cqrsfeed.ItemUpdated[T], ItemState]

// ItemState is an item as clients see it. Its JSON is that of FeedsConfig.View.
type ItemState struct {
	version int64
	shown   any
}

// MarshalJSON implements json.Marshaler.
func (s ItemState) MarshalJSON() ([]byte, error) { return json.Marshal(s.shown) }

// Item returns an adapter for one item, whose ID a wildcard of the request's pattern names, as FeedsConfig.View shows it. It
// follows the ItemTopics. It reads the write model, so that an editor has the newest version, and needs no wait for a write:
//
//	one := notes.Item("id")
//	http.HandleFunc("GET /notes/{id}", app.Router().AddTopicsHandler(notes.ItemTopics(), one))
//
// The entity tag begins with the item's version, as cqrsfeed.IfMatch expects. Unknown and deleted items are 404. Every load
// fails if FeedsConfig.Items has no method Get. Repositories have it.
func (f *Feeds[T]) Item(wildcard string) *ItemAdapter[T] {
	adapter, err := ssestream.AdapterBuilder[cqrsfeed.ItemUpdated[T], ItemState]{
		RequestKey: func(r *http.Request) (string, error) {
			id := r.PathValue(wildcard)
			if err := cqrsfeed.ValidateID(id); err != nil {
				return "", &ssestream.StatusError{Status: http.StatusBadRequest, Err: err, Field: wildcard}
			}
			return id, nil
		},
		Decode: func(msg *message.Message) (cqrsfeed.ItemUpdated[T], error) {
			var event struct { // the body may be one that this release cannot decode
				Item struct {
					ID string `json:"id"`
				} `json:"item"`
			}
			if err := json.Unmarshal(msg.Payload, &event); err != nil {
				return cqrsfeed.ItemUpdated[T]{}, fmt.Errorf("decode the item's ID in message %s: %w", msg.UUID, err)
			}
			return cqrsfeed.ItemUpdated[T]{Item: cqrsfeed.Item[T]{ID: event.Item.ID}}, nil
		},
		EventKeys: func(event cqrsfeed.ItemUpdated[T]) []string { return []string{event.Item.ID} },
		Load: func(ctx context.Context, id string) (ItemState, error) {
			items, ok := f.config.Items.(interface {
				Get(ctx context.Context, id string) (cqrsfeed.Item[T], error)
			})
			if !ok {
				return ItemState{}, fmt.Errorf("load item %q: Items (%T) has no method Get", id, f.config.Items)
			}
			item, err := items.Get(ctx, id)
			if err != nil {
				return ItemState{}, err
			}
			return ItemState{version: item.Version, shown: f.config.View(item)}, nil
		},
		Version: func(s ItemState) string { return strconv.FormatInt(s.version, 10) },
	}.Build()
	if err != nil {
		panic(err) // the builder is complete
	}
	return adapter
}

// ItemTopics are the topics of the events that change an item which exists.
func (f *Feeds[T]) ItemTopics() []string {
	topics := topicsOf(f.config.Items)
	topics.Created = topics.Updated // nobody follows an item before it exists
	return topics.All()
}
