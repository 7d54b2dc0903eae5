package cqrsfeed

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

// ItemCreated is the event of a new item. Events carry whole items, so that a consumer needs neither another event nor
// a query to act on one.
type ItemCreated[T any] struct {
	Item Item[T] `json:"item"`
}

// ItemUpdated is the event of a changed item. Original is what it was before.
type ItemUpdated[T any] struct {
	Original Item[T] `json:"original"`
	Item     Item[T] `json:"item"`
}

// ItemDeleted is the event of a deleted item. Item is its tombstone.
type ItemDeleted[T any] struct {
	Item Item[T] `json:"item"`
}

// FeedUpdated is the event of a feed that has a new revision. It carries no content: consumers read the newest state,
// so a late or repeated event does no harm.
type FeedUpdated struct {
	Feed     string `json:"feed"`
	Revision int64  `json:"revision"`
}

// Topics are the topics of a repository's events.
type Topics struct {
	Created string
	Updated string
	Deleted string
}

// TopicsOf returns the topics of a repository by its name: those of "note" are note-created, note-updated and
// note-deleted.
func TopicsOf(name string) Topics {
	return Topics{Created: name + "-created", Updated: name + "-updated", Deleted: name + "-deleted"}
}

// All returns the three topics, which a projection of the items subscribes to.
func (t Topics) All() []string { return []string{t.Created, t.Updated, t.Deleted} }

// Validate joins what is wrong with the topics.
func (t Topics) Validate() error {
	var problems []error
	for i, name := range []string{"Created", "Updated", "Deleted"} {
		if t.All()[i] == "" {
			problems = append(problems, fmt.Errorf("topic %s is empty", name))
		}
	}
	return errors.Join(problems...)
}

// NameKey is the metadata key of the name of a message's event, as in Watermill's cqrs component.
const NameKey = "name"

// The names of the events of this package.
const (
	ItemCreatedName = "ItemCreated"
	ItemUpdatedName = "ItemUpdated"
	ItemDeletedName = "ItemDeleted"
	FeedUpdatedName = "FeedUpdated"
)

// TimeKey is the metadata key of when a message's event happened, in the format of RFC 3339.
const TimeKey = "time"

// NewMessage returns a message with a new UUID and event as JSON. Its metadata has the event's name and the current time.
func NewMessage(name string, event any) (*message.Message, error) {
	payload, err := json.Marshal(event)
	if err != nil {
		return nil, fmt.Errorf("encode event %s: %w", name, err)
	}
	msg := message.NewMessage(watermill.NewUUID(), payload)
	msg.Metadata.Set(NameKey, name)
	msg.Metadata.Set(TimeKey, time.Now().UTC().Format(time.RFC3339Nano))
	return msg, nil
}

// MessageTime returns when the event of a message happened, by the clock of the process that made it: the time under
// TimeKey, or the zero time if that is missing or malformed.
func MessageTime(msg *message.Message) time.Time {
	happened, err := time.Parse(time.RFC3339Nano, msg.Metadata.Get(TimeKey))
	if err != nil {
		return time.Time{}
	}
	return happened
}

// DecodeItem returns the item of an ItemCreated, ItemUpdated or ItemDeleted message. A payload without an id or a
// version is an error, so that other JSON is not mistaken for an empty item.
func DecodeItem[T any](msg *message.Message) (Item[T], error) {
	var event struct {
		Item Item[T] `json:"item"`
	}
	if err := json.Unmarshal(msg.Payload, &event); err != nil {
		return Item[T]{}, fmt.Errorf("decode item event %s: %w", msg.UUID, err)
	}
	if err := ValidateID(event.Item.ID); err != nil {
		return Item[T]{}, fmt.Errorf("decode item event %s: %w", msg.UUID, err)
	}
	if event.Item.Version < 1 {
		return Item[T]{}, fmt.Errorf("decode item event %s: %w: version %d of item %q is not positive",
			msg.UUID, ErrInvalid, event.Item.Version, event.Item.ID)
	}
	return event.Item, nil
}
