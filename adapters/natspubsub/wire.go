package natspubsub

import (
	"fmt"
	"net/url"
	"strings"

	watermillnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// escapedHeader holds, URL-encoded, the metadata that NATS headers cannot carry unchanged.
const escapedHeader = "Feedmill-Metadata"

// marshal answers the message in the form of watermill-nats' NATSMarshaler, so that its users read it too,
// with an ID for the broker to deduplicate by. The ID is the UUID together with the subject, because the
// broker takes IDs for the stream's: by the UUID alone it would drop a message that goes on to a second topic,
// such as one that is set aside as poison.
func marshal(stream, subject string, msg *message.Message) (*nats.Msg, error) {
	if !fitsHeader(msg.UUID) {
		return nil, fmt.Errorf("message %q: %w: a header cannot carry it", msg.UUID, ErrInvalidUUID)
	}
	carried := message.Message{UUID: msg.UUID, Payload: msg.Payload, Metadata: message.Metadata{}}
	escaped := url.Values{}
	for key, value := range msg.Metadata {
		if carries(key, value) {
			carried.Metadata[key] = value
		} else {
			escaped.Set(key, value)
		}
	}
	out, err := (&watermillnats.NATSMarshaler{}).Marshal(subject, &carried)
	if err != nil {
		return nil, fmt.Errorf("message %s: marshal: %w", msg.UUID, err)
	}
	if len(escaped) > 0 {
		out.Header.Set(escapedHeader, escaped.Encode())
	}
	if msg.UUID != "" {
		out.Header.Set(jetstream.MsgIDHeader, msg.UUID+"@"+subject)
	}
	out.Header.Set(jetstream.ExpectedStreamHeader, stream)

	return out, nil
}

// unmarshal answers the message. One that came without a UUID, from a publisher that is not of Watermill, gets
// one that every delivery of it shares.
func unmarshal(in *nats.Msg, meta *nats.MsgMetadata) (*message.Message, error) {
	msg, err := (&watermillnats.NATSMarshaler{}).Unmarshal(in)
	if err != nil {
		return nil, fmt.Errorf("unmarshal: %w", err)
	}
	if encoded, ok := msg.Metadata[escapedHeader]; ok {
		escaped, err := url.ParseQuery(encoded)
		if err != nil {
			return nil, fmt.Errorf("unmarshal: header %s: %w", escapedHeader, err)
		}
		delete(msg.Metadata, escapedHeader)
		for key := range escaped {
			msg.Metadata[key] = escaped.Get(key)
		}
	}
	if msg.UUID == "" {
		msg.UUID = in.Header.Get(jetstream.MsgIDHeader)
	}
	if msg.UUID == "" {
		msg.UUID = fmt.Sprintf("%s:%d", meta.Stream, meta.Sequence.Stream)
	}

	return msg, nil
}

// carries reports whether a header brings the pair to the other side as it is. The names that are taken here
// have a meaning of their own: for this package, for NATSMarshaler, or for the client library, which takes a
// message without payload and with a Status for the broker's own.
func carries(key, value string) bool {
	switch key {
	case "", "Status", "Description", escapedHeader, watermillnats.WatermillUUIDHdr,
		jetstream.MsgIDHeader, jetstream.ExpectedStreamHeader, jetstream.ExpectedLastMsgIDHeader,
		jetstream.ExpectedLastSeqHeader, jetstream.ExpectedLastSubjSeqHeader:
		return false
	}
	for i := range len(key) {
		if c := key[i]; c <= ' ' || c > '~' || c == ':' {
			return false
		}
	}

	return fitsHeader(value)
}

// fitsHeader reports values that headers neither fold nor trim.
func fitsHeader(value string) bool {
	return !strings.ContainsAny(value, "\r\n\x00") && strings.TrimSpace(value) == value
}
