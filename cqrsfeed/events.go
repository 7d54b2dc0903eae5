package cqrsfeed

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

// ItemCreated says that an item came into being. Events carry whole items, so that a consumer needs no
// other event and no look-up to act on one.
type ItemCreated[T any] struct {
	Item Item[T] `json:"item"`
}

// ItemUpdated says that an item changed, and what it was before.
type ItemUpdated[T any] struct {
	Original Item[T] `json:"original"`
	Item     Item[T] `json:"item"`
}

// ItemDeleted says that an item is gone. Item is its tombstone.
type ItemDeleted[T any] struct {
	Item Item[T] `json:"item"`
}

// FeedUpdated says that a feed has a new revision. It carries no content: whoever follows the feed reads
// the newest state, so that a late or repeated event does no harm.
type FeedUpdated struct {
	Feed     string `json:"feed"`
	Revision int64  `json:"revision"`
}

// Topics names where a repository's events go.
type Topics struct {
	Created string
	Updated string
	Deleted string
}

// All returns the topics that a projection of the items has to read.
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

// NameKey is the metadata key under which a message carries the name of its event, as Watermill's own
// cqrs component has it.
const NameKey = "name"

// The names of this package's events.
const (
	ItemCreatedName = "ItemCreated"
	ItemUpdatedName = "ItemUpdated"
	ItemDeletedName = "ItemDeleted"
	FeedUpdatedName = "FeedUpdated"
)

// TimeKey is the metadata key under which a message carries when its event happened, in the form of RFC 3339:
// whoever handles the message can tell how late it is without knowing the event.
const TimeKey = "time"

// NewMessage encodes event as JSON into a message with a new UUID, and with the event's name and the current
// time in its metadata.
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

// MessageTime is when the event of a message happened, by the clock of the process that made it: what the
// message has under TimeKey, or the zero time where that is missing or cannot be read.
func MessageTime(msg *message.Message) time.Time {
	happened, err := time.Parse(time.RFC3339Nano, msg.Metadata.Get(TimeKey))
	if err != nil {
		return time.Time{}
	}
	return happened
}

// DecodeItem reads the item out of a message with ItemCreated, ItemUpdated or ItemDeleted. It refuses a
// payload without an id or a version, so that somebody else's JSON is not taken for an empty item.
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
