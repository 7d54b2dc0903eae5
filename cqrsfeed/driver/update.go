package driver

import "github.com/ThreeDotsLabs/watermill/message"

// updateKey is the metadata key of updates. Applications must not use it.
const updateKey = "feedmill_update"

// MarkUpdate marks a message as an update of a projection. Updates have no content, so a publisher that is full may drop old
// ones without a subscriber.
func MarkUpdate(msg *message.Message) {
	if msg.Metadata == nil {
		msg.Metadata = message.Metadata{}
	}
	msg.Metadata.Set(updateKey, "true")
}

// UnmarkUpdate removes the mark, for a copy that must not be dropped.
func UnmarkUpdate(msg *message.Message) { delete(msg.Metadata, updateKey) }

// IsUpdate reports whether the message is marked as an update.
func IsUpdate(msg *message.Message) bool { return msg.Metadata.Get(updateKey) != "" }
