package cqrsfeed

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/feedmill/feedmill/cqrsfeed/limits"
)

// Item is a versioned value of the write model.
//
// Times are UTC and have microseconds, which every store keeps. CreatedAt never changes: feeds are sorted by it.
type Item[T any] struct {
	// ID is chosen by the caller: 1 to limits.MaxIDLength bytes of valid UTF-8 without control characters.
	ID string `json:"id"`
	// Version is 1 after Create and grows by one with every change, also with Delete. Of two states of an item the
	// one with the higher version is newer, whatever order they arrive in.
	Version int64 `json:"version"`
	// Body is the application's own value. Stores keep it as JSON.
	Body      T         `json:"body"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	// Deleted marks a tombstone. Its Body is what the item held last, or the zero value if that cannot be
	// decoded or was erased.
	Deleted bool `json:"deleted,omitempty"`
	// Encoded is the body as it was written, with the fields that T does not know. Stores and decoders set it. Events
	// and read models keep it. It is empty in an item that the application makes: Body is encoded then. If you change
	// Body and pass the item on, Body counts: NewFeedChange, TagFeeds, rebuilds, audits, imports and events leave Encoded
	// out if it does not decode to Body. Call Settle before you pass an item to a feed store yourself. Encoded is not in
	// the JSON of a page.
	Encoded json.RawMessage `json:"-"`
}

// ValidateID returns an error that wraps ErrInvalid, and names the field id in a response, unless id can be the id of an item: 1 to limits.MaxIDLength bytes of
// valid UTF-8 without control characters.
func ValidateID(id string) error {
	if err := validateName("item id", id, limits.MaxIDLength); err != nil {
		return &statusError{text: err.Error(), status: http.StatusBadRequest, field: "id", kind: ErrInvalid}
	}
	return nil
}

// validateName has the rules of ids, feed names and kinds. It refuses control characters because some stores cannot keep
// NUL, and because they are unreadable in a log or a URL.
func validateName(what, name string, most int) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: %s is empty", ErrInvalid, what)
	case len(name) > most:
		return fmt.Errorf("%w: %s has %d bytes, at most %d are allowed", ErrInvalid, what, len(name), most)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: %s %q is not valid UTF-8", ErrInvalid, what, name)
	}
	for _, r := range name {
		if r < 0x20 || r == 0x7f {
			return fmt.Errorf("%w: %s %q has a control character", ErrInvalid, what, name)
		}
	}
	return nil
}
