// Package upcast gives the bodies of other releases the form that this one decodes.
package upcast

import (
	"encoding/json"
	"fmt"
)

// upcaster is cqrsfeed.Upcaster.
type upcaster interface {
	Upcast(body json.RawMessage) (json.RawMessage, error)
}

// Body returns the upcast body if T has a method Upcast, and else the body itself.
func Body[T any](encoded json.RawMessage) (json.RawMessage, error) {
	var body T
	u, ok := any(&body).(upcaster)
	if !ok {
		u, ok = any(body).(upcaster) // T is a pointer
	}
	if !ok {
		return encoded, nil
	}
	upcast, err := u.Upcast(encoded)
	if err != nil {
		return nil, fmt.Errorf("upcast: %w", err)
	}
	return upcast, nil
}
