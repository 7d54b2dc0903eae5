package ssestream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	watermillhttp "github.com/ThreeDotsLabs/watermill-http/v2/pkg/http"

	"github.com/feedmill/feedmill/internal/panics"
	"github.com/feedmill/feedmill/ssestream/internal/coding"
	"github.com/feedmill/feedmill/ssestream/internal/room"
	"github.com/feedmill/feedmill/ssestream/internal/wire"
)

var errEventNameReserved = errors.New("event name has another meaning to a client")

// encoder encodes what one load returned.
type encoder struct {
	marshaler watermillhttp.SSEMarshaler
	states    loader
	key       string
	state     any
	stored    bool // it is never compressed
	appends   bool // the end of a text that has grown is sent alone
}

// encode encodes the state in a form, with its error if it cannot be encoded, or is larger than most.
func (e *encoder) encode(ctx context.Context, f *form, most int) room.Form {
	encoded, err := e.tryEncode(ctx, f)
	if size := len(encoded.Frame.Bytes()); err == nil && size > most {
		err = fmt.Errorf("%w: the state takes %d bytes, MaxFrameBytes is %d", ErrFrameTooLarge, size, most)
	}
	if err != nil {
		return room.Form{Err: fmt.Errorf("load %q: %w", e.key, err)}
	}

	return encoded
}

func (e *encoder) tryEncode(ctx context.Context, f *form) (encoded room.Form, err error) {
	defer recovered(&err, "marshal state")
	event, err := e.event(ctx, f)
	if err != nil {
		return room.Form{}, err
	}
	if wire.Reserved(event.Event) || e.appends && event.Event == wire.AppendEventName {
		return room.Form{}, fmt.Errorf("encode event %q: %w", event.Event, errEventNameReserved)
	}
	name := strings.ToValidUTF8(event.Event, "\uFFFD")
	id := wire.Stamp(event.Data, e.key, name)
	if f.html && name == wire.Message {
		event.Event = ""
	}
	size := len(event.Event) + len(id) + len(event.Data) + 32
	frame, err := wire.AppendHead(make([]byte, 0, size), event.Event, id)
	if err != nil {
		return room.Form{}, err
	}
	head := len(frame)
	frame = wire.AppendData(frame, event.Data)
	frame = append(frame, '\n')
	encoded = room.Form{
		ID: id, Frame: coding.NewText(frame, e.stored), Data: coding.NewText(frame[head:len(frame)-1], e.stored),
	}
	switch {
	case f.html:
		encoded.Name = name
	case e.appends:
		encoded.Text = room.NewGrowth(event.Data, id, e.stored)
	}

	return encoded, nil
}

func (e *encoder) event(ctx context.Context, f *form) (watermillhttp.ServerSentEvent, error) {
	if !f.html {
		event, err := marshal(ctx, e.marshaler, e.state)
		if err != nil {
			return event, fmt.Errorf("marshal state: %w", err)
		}

		return event, nil
	}
	html, err := e.states.rendered(ctx, e.state)
	if err != nil || f.event == nil {
		return watermillhttp.ServerSentEvent{Data: html}, err
	}

	return f.event(e.key, html), nil
}

// marshal makes an event of a state. In the place of the stock marshaler is one whose JSON is compact.
func marshal(ctx context.Context, m watermillhttp.SSEMarshaler, value any) (watermillhttp.ServerSentEvent, error) {
	if _, plain := m.(watermillhttp.JSONSSEMarshaler); !plain {
		return m.Marshal(ctx, value)
	}
	encoded, err := encodeJSON(value)

	return watermillhttp.ServerSentEvent{Event: "data", Data: encoded}, err
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

// recovered turns a panic of the user's function into an error with its stack, and so it does with an error that panics when
// it is asked what it is, such as a nil pointer: goroutines that serve many clients ask it later.
func recovered(err *error, doing string) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%s: panic: %v\n%s", doing, p, debug.Stack())
	} else if *err != nil {
		ask := func() error { _ = StatusOf(*err); return *err }
		if raised, _ := panics.CatchError(ask); raised != nil {
			*err = fmt.Errorf("%s: panic of its error: %s", doing, raised)
		}
	}
}
