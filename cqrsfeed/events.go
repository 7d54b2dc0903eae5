package cqrsfeed

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

// ItemCreated is the event of a new item. Events carry whole items. A consumer needs neither another event nor a query.
type ItemCreated[T any] struct {
	Item Item[T] `json:"item"`
}

// ItemUpdated is the event of a changed item.
type ItemUpdated[T any] struct {
	// Original is the item before the change. It is nil if the event would be too large with it: see ErrTooLarge.
	Original *Item[T] `json:"original,omitempty"`
	Item     Item[T]  `json:"item"`
}

// ItemDeleted is the event of a deleted item. Item is its tombstone, with the last body. The body is zero if the event would
// be too large with it.
type ItemDeleted[T any] struct {
	Item Item[T] `json:"item"`
}

// FeedUpdated is the event of a feed that has a new revision. It carries no content: consumers read the newest state,
// so a late or repeated event does no harm.
type FeedUpdated struct {
	// Feed is "" in the update of a read model without feeds, such as the tables of a table projection. Everything that
	// is made from the read model may have changed.
	Feed     string `json:"feed"`
	Revision int64  `json:"revision"`
}

// Topics are the topics of a repository's events.
type Topics struct {
	Created string
	Updated string
	Deleted string
	// Partitions divides each topic T into T.0, T.1, … if it is positive. The events of an item go to one of them, and a relay
	// keeps their order. Change it only while the outbox and the topics are empty, because the events of an item may otherwise be in two of
	// them.
	Partitions int
}

// TopicsOf returns the topics of a repository by its name: those of "note" are note-created, note-updated and
// note-deleted.
func TopicsOf(name string) Topics {
	return Topics{Created: name + "-created", Updated: name + "-updated", Deleted: name + "-deleted"}
}

// OneTopicOf returns the one topic of all events of a repository by its name: that of "note" is note-changed.
func OneTopicOf(name string) Topics {
	changed := name + "-changed"
	return Topics{Created: changed, Updated: changed, Deleted: changed}
}

// PartitionsOf returns the topics that keep the order of the events of an item, by the name of the repository: those of
// "note" are note-changed.0 to note-changed.15. docs/order.md says what a consumer has to do.
func PartitionsOf(name string) Topics {
	const partitions = 16
	topics := OneTopicOf(name)
	topics.Partitions = partitions
	return topics
}

// All returns the topics that a projection of the items subscribes to, each once.
func (t Topics) All() []string {
	names := []string{t.Created}
	for _, name := range []string{t.Updated, t.Deleted} {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if t.Partitions <= 0 {
		return names
	}
	var topics []string
	for _, name := range names {
		for partition := range t.Partitions {
			topics = append(topics, partitionTopic(name, partition))
		}
	}
	return topics
}

// Of returns the topics of the events of the item with the ID: one partition of each.
func (t Topics) Of(id string) Topics {
	if t.Partitions <= 0 {
		return t
	}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(id))                         // never fails
	partition := int(hash.Sum32() % uint32(t.Partitions)) //nolint:gosec // positive and small
	return Topics{
		Created: partitionTopic(t.Created, partition), Updated: partitionTopic(t.Updated, partition), Deleted: partitionTopic(t.Deleted, partition),
	}
}

func partitionTopic(name string, partition int) string { return name + "." + strconv.Itoa(partition) }

// Validate joins all problems of the topics.
func (t Topics) Validate() error {
	var problems []error
	for _, topic := range []struct{ kind, name string }{{"Created", t.Created}, {"Updated", t.Updated}, {"Deleted", t.Deleted}} {
		if topic.name == "" {
			problems = append(problems, fmt.Errorf("topic %s is empty", topic.kind))
		}
	}
	if t.Partitions < 0 {
		problems = append(problems, fmt.Errorf("number of partitions is %d, it must not be negative", t.Partitions))
	}
	return errors.Join(problems...)
}

// NameKey is the metadata key of the name of a message's event, as in Watermill's cqrs component.
const NameKey = "name"

// timeKey is the metadata key of when a message's event happened, in the format of RFC 3339.
const timeKey = "time"

// PartitionKey is the metadata key of the ID of a message's item. Where the order of a topic is kept, messages with the
// same value stay in order.
const PartitionKey = "partition_key"

// NewMessage returns a message with a new UUID and event as JSON. Its metadata has the event's name and the current time.
// It is for events of your own: those of this package have a method Message.
func NewMessage(name string, event any) (*message.Message, error) {
	payload, err := json.Marshal(event)
	return newMessage(name, payload, err)
}

// newMessage returns a message for an encoded event, or an error if encoding failed.
func newMessage(name string, payload []byte, err error) (*message.Message, error) {
	if err != nil {
		return nil, fmt.Errorf("encode event %s: %w", name, err)
	}
	msg := message.NewMessage(watermill.NewUUID(), payload)
	msg.Metadata.Set(NameKey, name)
	msg.Metadata.Set(timeKey, time.Now().UTC().Format(time.RFC3339Nano))
	return msg, nil
}

// newItemMessage returns the message of an event of an item. The payload has bodies as they were written, byte for byte,
// unless Body was changed since it was decoded. json.Marshal would compact and escape them.
func newItemMessage[T any](name string, original *Item[T], item Item[T]) (*message.Message, error) {
	payload, err := encodeEvent(original, item)
	msg, err := newMessage(name, payload, err)
	if err != nil {
		return nil, err
	}
	msg.Metadata.Set(PartitionKey, item.ID)
	return msg, nil
}

// Message returns the message of the event, with the name "ItemCreated" and the partition key.
func (e ItemCreated[T]) Message() (*message.Message, error) {
	return newItemMessage("ItemCreated", nil, e.Item)
}

// Message returns the message of the event, with the name "ItemUpdated" and the partition key.
func (e ItemUpdated[T]) Message() (*message.Message, error) {
	return newItemMessage("ItemUpdated", e.Original, e.Item)
}

// Message returns the message of the event, with the name "ItemDeleted" and the partition key.
func (e ItemDeleted[T]) Message() (*message.Message, error) {
	return newItemMessage("ItemDeleted", nil, e.Item)
}

// Message returns the message of the event, with the name "FeedUpdated".
func (e FeedUpdated) Message() (*message.Message, error) { return NewMessage("FeedUpdated", e) }

// MessageTime returns when the event of a message happened, by the clock of the process that made it: the time under
// the metadata key "time", or the zero time if that is missing or malformed.
func MessageTime(msg *message.Message) time.Time {
	happened, err := time.Parse(time.RFC3339Nano, msg.Metadata.Get(timeKey))
	if err != nil {
		return time.Time{}
	}
	return happened
}

// MarshalJSON encodes the event with its body as it was written.
func (e ItemCreated[T]) MarshalJSON() ([]byte, error) { return encodeEvent(nil, e.Item) }

// MarshalJSON encodes the event with its bodies as they were written.
func (e ItemUpdated[T]) MarshalJSON() ([]byte, error) { return encodeEvent(e.Original, e.Item) }

// MarshalJSON encodes the event with its body as it was written.
func (e ItemDeleted[T]) MarshalJSON() ([]byte, error) { return encodeEvent(nil, e.Item) }

func encodeEvent[T any](original *Item[T], item Item[T]) (event []byte, err error) {
	event = append(event, '{')
	if original != nil {
		if event, err = original.appendEncoded(append(event, `"original":`...)); err != nil {
			return nil, err
		}
		event = append(event, ',')
	}
	if event, err = item.appendEncoded(append(event, `"item":`...)); err != nil {
		return nil, err
	}
	return append(event, '}'), nil
}

// DecodeItem returns the item of an ItemCreated, ItemUpdated or ItemDeleted message. It returns an error for a payload
// without an id or a version, which is other JSON. If only the body cannot be decoded, the error wraps an UndecodableError.
// The body of a tombstone may be undecodable.
func DecodeItem[T any](msg *message.Message) (Item[T], error) {
	var event struct {
		Item encodedItem `json:"item"`
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
	item, err := decodeItem[T](event.Item)
	if err != nil {
		err = fmt.Errorf("decode item event %s: %w", msg.UUID, err)
	}
	return item, err
}
