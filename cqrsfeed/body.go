package cqrsfeed

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/internal/panics"
	"github.com/feedmill/feedmill/internal/upcast"
)

// Upcaster is implemented by the type of a body whose JSON differs between releases. Upcast is called wherever a body is
// decoded: in repositories, feed stores and projections. docs/changing-items.md has recipes.
//
//	func (Note) Upcast(body json.RawMessage) (json.RawMessage, error)
type Upcaster interface {
	// Upcast returns the body in the form that the type decodes. body is as any release wrote it. Upcast must not
	// change these bytes, and may return them. It must not depend on its receiver. If it returns an error or panics, the
	// body cannot be decoded.
	Upcast(body json.RawMessage) (json.RawMessage, error)
}

// UndecodableError means that this release of the application cannot decode the body of an item. Another release may.
// The item can still be deleted.
type UndecodableError struct {
	// Item is the item, with the body as it was written.
	Item Item[json.RawMessage]
	// Reason is the error of Upcast or of the decoder, or the text of a panic.
	Reason error
}

// Error returns which body cannot be decoded and why.
func (e *UndecodableError) Error() string {
	return fmt.Sprintf("decode body of item %q version %d: %v", e.Item.ID, e.Item.Version, e.Reason)
}

// Unwrap returns the reason.
func (e *UndecodableError) Unwrap() error { return e.Reason }

// EncodedBody returns the body as JSON: Encoded, or the encoding of Body. The error wraps ErrInvalid if the body cannot be
// encoded, is not valid UTF-8, or has more than limits.MaxEventBytes.
func (i Item[T]) EncodedBody() (json.RawMessage, error) {
	encoded := i.Encoded
	if len(encoded) == 0 {
		var err error
		if encoded, err = json.Marshal(i.Body); err != nil {
			return nil, fmt.Errorf("%w: encode body: %w", ErrInvalid, err)
		}
	}
	switch {
	case !utf8.Valid(encoded): // the body has a MarshalJSON of its own
		return nil, fmt.Errorf("%w: encode body: not valid UTF-8", ErrInvalid)
	case len(encoded) > limits.MaxEventBytes:
		return nil, fmt.Errorf("%w: body has %d bytes as JSON, at most %d are allowed", ErrTooLarge, len(encoded), limits.MaxEventBytes)
	}
	return encoded, nil
}

// DecodeBody decodes Encoded into Body, after Upcast. The error is an UndecodableError. Body is the zero value then.
func (i *Item[T]) DecodeBody() error {
	var body T
	raised, err := panics.CatchError(func() error {
		current, err := upcast.Body[T](i.Encoded)
		if err != nil {
			return err
		}
		return json.Unmarshal(current, &body)
	})
	if raised != nil {
		err = fmt.Errorf("panic: %v", raised.Reason)
	}
	if err != nil {
		var zero T
		i.Body = zero
		return &UndecodableError{Item: withBody(*i, i.Encoded), Reason: err}
	}
	i.Body = body
	return nil
}

// Settle clears Encoded if it does not decode to Body. The application has changed Body then, and what it removed must not
// appear in a feed or an event. Everything that takes items from the application calls Settle, except feed stores.
func (i *Item[T]) Settle() {
	if len(i.Encoded) == 0 {
		return
	}
	body, err := json.Marshal(i.Body)
	if err == nil && bytes.Equal(body, i.Encoded) {
		return
	}
	read := *i
	_ = read.DecodeBody() // after an error Body is the zero value
	was, unencodable := json.Marshal(read.Body)
	if (err == nil) != (unencodable == nil) || !bytes.Equal(body, was) {
		i.Encoded = nil
	}
}

// withBody returns the item with another body.
func withBody[T, U any](i Item[T], body U) Item[U] {
	return Item[U]{
		ID: i.ID, Version: i.Version, Body: body, CreatedAt: i.CreatedAt, UpdatedAt: i.UpdatedAt, Deleted: i.Deleted,
		Encoded: i.Encoded,
	}
}

// encodedItem is the JSON of an item in an event.
type encodedItem struct {
	ID        string          `json:"id"`
	Version   int64           `json:"version"`
	Body      json.RawMessage `json:"body"`
	CreatedAt time.Time       `json:"created_at"`
	UpdatedAt time.Time       `json:"updated_at"`
	Deleted   bool            `json:"deleted"`
}

// decodeItem returns an item with its body decoded. Beside an UndecodableError it returns the item without its body. The
// body of a tombstone may be undecodable.
func decodeItem[T any](e encodedItem) (Item[T], error) {
	item := Item[T]{
		ID: e.ID, Version: e.Version, CreatedAt: e.CreatedAt, UpdatedAt: e.UpdatedAt, Deleted: e.Deleted, Encoded: e.Body,
	}
	if len(e.Body) == 0 {
		return item, nil
	}
	if err := item.DecodeBody(); err != nil && !item.Deleted {
		return item, err
	}
	return item, nil
}

// appendEncoded appends the item in the form of events. The body is as it was written unless Body was changed. json.Marshal
// would compact and escape it.
func (i Item[T]) appendEncoded(b []byte) ([]byte, error) {
	i.Settle()
	body, err := i.EncodedBody()
	if err != nil {
		return nil, err
	}
	frame, err := json.Marshal(withBody(i, struct{}{}))
	if err != nil {
		return nil, fmt.Errorf("encode item %q: %w", i.ID, err)
	}
	before, after, _ := bytes.Cut(frame, []byte(`"body":{}`)) // no other field can have it: quotes in strings are escaped
	b = append(append(b, before...), `"body":`...)
	return append(append(b, body...), after...), nil
}

// UnmarshalJSON decodes an item of an event or a page, and sets Encoded. The body is upcast.
func (i *Item[T]) UnmarshalJSON(encoded []byte) error {
	var e encodedItem
	err := json.Unmarshal(encoded, &e)
	if err != nil {
		return err
	}
	*i, err = decodeItem[T](e)
	return err
}
