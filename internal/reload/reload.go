// Package reload marks messages that tell streams to load everything again, across the packages that make and read them.
package reload

import "github.com/ThreeDotsLabs/watermill/message"

// key is the metadata key of such messages. Applications have no such key of their own.
const key = "feedmill_reload"

// Mark marks a message as one that is about all keys, whatever its payload is.
func Mark(msg *message.Message) {
	if msg.Metadata == nil {
		msg.Metadata = message.Metadata{}
	}
	msg.Metadata.Set(key, "true")
}

// Marked reports whether the message is about all keys.
func Marked(msg *message.Message) bool { return msg.Metadata.Get(key) != "" }
