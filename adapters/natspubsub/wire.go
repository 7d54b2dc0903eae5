package natspubsub

import (
	"fmt"
	"net/url"
	"strings"

	watermillnats "github.com/ThreeDotsLabs/watermill-nats/v2/pkg/nats"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// escapedHeader holds, as a URL query, the metadata that NATS headers cannot carry unchanged.
const escapedHeader = "Feedmill-Metadata"

// marshal returns the message in the form of watermill-nats' NATSMarshaler, with an ID for the broker's deduplication.
// The ID consists of the UUID and the subject. The broker deduplicates within the stream, and a message may be
// published to a second topic of the stream with the same UUID, such as the poison topic.
func marshal(stream, subject string, msg *message.Message) (*nats.Msg, error) {
	if !fitsHeader(msg.UUID) {
		return nil, fmt.Errorf("message %q: %w: a header cannot carry its UUID", msg.UUID, cqrsfeed.ErrInvalid)
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

// unmarshal returns the message. A message without a UUID, from a publisher that does not use Watermill, gets a UUID
// that is the same in all its deliveries.
func unmarshal(in jetstream.Msg, meta *jetstream.MsgMetadata) (*message.Message, error) {
	return unmarshalMsg(&nats.Msg{Subject: in.Subject(), Header: in.Headers(), Data: in.Data()}, meta.Stream, meta.Sequence.Stream)
}

func unmarshalMsg(in *nats.Msg, stream string, sequence uint64) (*message.Message, error) {
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
		msg.UUID = fmt.Sprintf("%s:%d", stream, sequence)
	}
	return msg, nil
}

// carries reports whether a header carries the pair unchanged. Names that begin with "Nats-", in any case, are reserved
// for the broker. The listed names are used by this package, by NATSMarshaler, or by the client library, which takes a
// message without payload and with a Status for one of the broker.
func carries(key, value string) bool {
	const reserved = "Nats-"
	if key == "" || len(key) >= len(reserved) && strings.EqualFold(key[:len(reserved)], reserved) {
		return false
	}
	for _, name := range []string{"Status", "Description", escapedHeader, watermillnats.WatermillUUIDHdr} {
		if strings.EqualFold(key, name) {
			return false
		}
	}
	for i := range len(key) {
		if c := key[i]; c <= ' ' || c > '~' || c == ':' {
			return false
		}
	}
	return fitsHeader(value)
}

// fitsHeader reports whether a header carries the value unchanged, without folding or trimming.
func fitsHeader(value string) bool {
	return !strings.ContainsAny(value, "\r\n\x00") && strings.TrimSpace(value) == value
}
