package sqlstore

import (
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// stored is an item and its body as the row has it.
type stored[T any] struct {
	item    cqrsfeed.Item[T]
	encoded string
}

// advance makes it the next version. UpdatedAt never goes back, even if the clock does.
func (s *stored[T]) advance() {
	s.item.Version++
	if now := now(); now.After(s.item.UpdatedAt) {
		s.item.UpdatedAt = now
	}
}

type scanner interface{ Scan(dest ...any) error }

// scanItem reads a row of itemColumns. The error of a body that does not decode is final.
func scanItem[T any](row scanner) (stored[T], error) {
	var s stored[T]
	var id string
	var createdAt, updatedAt int64
	err := row.Scan(&id, &s.item.Version, &s.encoded, &createdAt, &updatedAt, &s.item.Deleted)
	if err != nil {
		return stored[T]{}, err
	}
	s.item.CreatedAt = time.UnixMicro(createdAt).UTC()
	s.item.UpdatedAt = time.UnixMicro(updatedAt).UTC()
	s.item, err = decodeItem(id, s.encoded, s.item)
	return s, err
}

// decodeItem returns the item with a body decoded anew.
func decodeItem[T any](id, encoded string, item cqrsfeed.Item[T]) (cqrsfeed.Item[T], error) {
	var body T
	if err := json.Unmarshal([]byte(encoded), &body); err != nil {
		return cqrsfeed.Item[T]{}, Stop(fmt.Errorf("decode body of item %q version %d: %w", id, item.Version, err))
	}
	item.ID, item.Body = id, body
	return item, nil
}

// encodeBody refuses text that is not valid UTF-8, which no text column keeps. A body with its own MarshalJSON may return
// some.
func encodeBody[T any](body T) (string, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return "", fmt.Errorf("encode body: %w", err)
	}
	if !utf8.Valid(encoded) {
		return "", fmt.Errorf("encode body: %w: not valid UTF-8", cqrsfeed.ErrInvalid)
	}
	return string(encoded), nil
}
