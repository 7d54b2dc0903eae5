package ssestream

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"runtime/debug"

	watermillhttp "github.com/ThreeDotsLabs/watermill-http/v2/pkg/http"
)

// loaded is what one load brought.
type loaded struct {
	value   any
	json    []byte
	version string
}

// encodeJSON encodes compactly and leaves <, > and & as they are: neither application/json nor an event stream
// is ever read as HTML, and posts are full of them.
func encodeJSON(value any) ([]byte, error) {
	var buf bytes.Buffer
	encoder := json.NewEncoder(&buf)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, fmt.Errorf("encode state: %w", err)
	}

	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// eventID answers the user's version where it fits an id field, its hash where it does not, and the hash of the
// encoding where there is none.
func eventID(version string, encoded []byte) string {
	switch {
	case version == "":
		return shortHash(encoded)
	case validEventID(version):
		return version
	default:
		return shortHash([]byte(version))
	}
}

// shortHash answers 96 bits of a hash that every instance computes alike.
func shortHash(b []byte) string {
	sum := sha256.Sum256(b)

	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// encoded is a state in the bytes that all clients share.
type encoded struct {
	frame []byte // the whole event, for a connection of its own
	data  []byte // the part of frame with the data fields, for a connection of several streams
}

// encode encodes a state as an SSE event. The marshaler is asked only where it is not the plain JSON one, whose
// work is done already.
func encode(ctx context.Context, marshaler watermillhttp.SSEMarshaler, l loaded) (encoded, error) {
	event := watermillhttp.ServerSentEvent{Event: "data", Data: l.json}
	if _, plain := marshaler.(watermillhttp.JSONSSEMarshaler); !plain {
		var err error
		if event, err = marshaler.Marshal(ctx, l.value); err != nil {
			return encoded{}, fmt.Errorf("marshal state: %w", err)
		}
	}
	if reservedEvent(event.Event) {
		return encoded{}, fmt.Errorf("encode event %q: %w", event.Event, errEventNameReserved)
	}
	size := len(event.Event) + len(l.version) + len(event.Data) + 32
	frame, err := appendHead(make([]byte, 0, size), event.Event, l.version)
	if err != nil {
		return encoded{}, err
	}
	head := len(frame)
	frame = appendData(frame, event.Data)

	return encoded{data: frame[head:len(frame):len(frame)], frame: append(frame, '\n')}, nil
}

// recovered turns a panic of the user's function into an error with its stack.
func recovered(err *error, doing string) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%s: panic: %v\n%s", doing, p, debug.Stack())
	}
}
