package driver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/internal/jsonmerge"
	"github.com/feedmill/feedmill/internal/upcast"
)

// NewBody returns the item with its body encoded, unless Encoded is set, and decoded from that, as readers see it. It returns
// ErrInvalid for a body that does not decode, since no projection could apply it.
func NewBody[T any](item cqrsfeed.Item[T]) (cqrsfeed.Item[T], error) {
	if len(item.Encoded) > 0 && !json.Valid(item.Encoded) { // an Upcaster may accept it
		return item, fmt.Errorf("%w: body is not JSON", cqrsfeed.ErrInvalid)
	}
	var err error
	if item.Encoded, err = item.EncodedBody(); err != nil {
		return item, err
	}
	if err := item.DecodeBody(); err != nil {
		return item, fmt.Errorf("%w: body does not decode from its JSON: %w", cqrsfeed.ErrInvalid, errors.Unwrap(err))
	}
	return item, nil
}

// Change returns the item with a changed body, for Repository.Update. It calls change with a copy of the body. The new Encoded
// is the stored body, after Upcast, with the difference that change made: it keeps the fields that T does not know and those
// that did not change. If that does not decode to the changed body, Encoded is the encoding of T. The error for a body that
// does not decode is that of NewBody.
func Change[T any](item cqrsfeed.Item[T], change func(body *T) error) (cqrsfeed.Item[T], error) {
	next := item
	if err := next.DecodeBody(); err != nil {
		return item, err
	}
	if err := change(&next.Body); err != nil {
		return item, fmt.Errorf("change: %w", err)
	}
	next.Encoded = nil
	next, err := NewBody(next)
	if err != nil {
		return item, err
	}
	merged, err := merge(item, next, jsonmerge.Merge)
	if err != nil {
		return item, err
	}
	return merged, nil
}

// Remember returns next with the Encoded of item, after Upcast, changed by the difference between their bodies. It keeps all
// fields that T does not know, also in objects that are replaced, since what was counted of them is still counted. If the
// result does not decode to the body of next, next.Encoded, the encoding of T, stays.
func Remember[T any](item, next cqrsfeed.Item[T]) (cqrsfeed.Item[T], error) {
	return merge(item, next, jsonmerge.MergeMembers)
}

func merge[T any](item, next cqrsfeed.Item[T], bodies func(stored, before, after []byte) []byte) (cqrsfeed.Item[T], error) {
	before, err := json.Marshal(item.Body)
	if err != nil {
		return next, fmt.Errorf("encode body: %w", err)
	}
	stored, err := upcast.Body[T](item.Encoded)
	if err != nil {
		return next, err
	}
	merged := next
	merged.Encoded = bodies(stored, before, next.Encoded)
	if _, err := merged.EncodedBody(); err != nil {
		return next, err // it is too large
	}
	if merged.DecodeBody() == nil && equal(merged.Body, next.Body) {
		return merged, nil
	}
	return next, nil
}

// equal reports whether two bodies are the same as JSON.
func equal[T any](a, b T) bool {
	first, err := json.Marshal(a)
	if err != nil {
		return false
	}
	second, err := json.Marshal(b)
	return err == nil && bytes.Equal(first, second)
}
