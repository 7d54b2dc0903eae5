package cqrsfeed

import (
	"fmt"
	"time"
	"unicode/utf8"
)

// MaxIDLength is the longest id of an item, in bytes. It keeps ids usable in keys and indexes of every store.
const MaxIDLength = 128

// Item is a versioned value of the write model.
//
// Times are UTC and hold microseconds, which is what every store keeps. CreatedAt never changes, so that
// it can be part of an item's place in a feed.
type Item[T any] struct {
	// ID is the caller's: 1 to MaxIDLength bytes of valid UTF-8 without control characters.
	ID string `json:"id"`
	// Version is 1 after Create and grows by one with every change, also by Delete. Of two states of an
	// item the one with the higher version is the newer one, whatever order they arrive in.
	Version int64 `json:"version"`
	// Body is the application's own value. Stores keep it as JSON.
	Body      T         `json:"body"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	// Deleted marks a tombstone: the item is gone, its version goes on, and Body is what it held last.
	Deleted bool `json:"deleted,omitempty"`
}

// ValidateID says whether id can name an item. The error wraps ErrInvalid and says why it cannot.
func ValidateID(id string) error {
	return validateName("item id", id, MaxIDLength)
}

// validateName holds the rules that item ids and feed names share. Control characters are refused because
// some stores cannot keep NUL and because none of them can be read in a log or a URL.
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
