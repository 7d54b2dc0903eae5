package ssestream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"

	watermillhttp "github.com/ThreeDotsLabs/watermill-http/v2/pkg/http"

	"github.com/feedmill/feedmill/ssestream/internal/room"
	"github.com/feedmill/feedmill/ssestream/internal/wire"
)

// loaded is what one load returned.
type loaded struct {
	value   any
	json    []byte
	version string
}

var errEventNameReserved = errors.New("event name is reserved: EventSource dispatches it itself")

// encode encodes a state as an event. The marshaler is asked only where it is not the plain JSON one, whose
// work is done already.
func encode(ctx context.Context, marshaler watermillhttp.SSEMarshaler, l loaded) (*room.State, error) {
	event := watermillhttp.ServerSentEvent{Event: "data", Data: l.json}
	if _, plain := marshaler.(watermillhttp.JSONSSEMarshaler); !plain {
		var err error
		if event, err = marshaler.Marshal(ctx, l.value); err != nil {
			return nil, fmt.Errorf("marshal state: %w", err)
		}
	}
	if wire.Reserved(event.Event) {
		return nil, fmt.Errorf("encode event %q: %w", event.Event, errEventNameReserved)
	}
	size := len(event.Event) + len(l.version) + len(event.Data) + 32
	frame, err := wire.AppendHead(make([]byte, 0, size), event.Event, l.version)
	if err != nil {
		return nil, err
	}
	head := len(frame)
	frame = wire.AppendData(frame, event.Data)

	return &room.State{
		Version: l.version, Data: frame[head:len(frame):len(frame)], Frame: append(frame, '\n'),
	}, nil
}

// encodeJSON encodes compactly and leaves <, > and & as they are: neither application/json nor an event stream
// is read as HTML, and texts are full of them.
func encodeJSON(value any) ([]byte, error) {
	var buf bytes.Buffer
	encoder := json.NewEncoder(&buf)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, fmt.Errorf("encode state: %w", err)
	}

	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

func writeJSON(w http.ResponseWriter, r *http.Request, body []byte) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // The peer may be gone.
	}
}

// recovered turns a panic of the user's function into an error with its stack.
func recovered(err *error, doing string) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%s: panic: %v\n%s", doing, p, debug.Stack())
	}
}
