package driver

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// Position is an item's place in a feed: feeds are ordered by CreatedAt and then by id, both descending.
type Position struct {
	CreatedAt time.Time
	ID        string
}

// EncodeCursor returns the opaque cursor for the entries after a position. It is safe in a URL, and the same for every store, so
// that a reader can continue in another copy of the read model.
func EncodeCursor(p Position) string {
	raw := binary.BigEndian.AppendUint64(nil, uint64(p.CreatedAt.UnixMicro()))
	return base64.RawURLEncoding.EncodeToString(append(raw, p.ID...))
}

// DecodeCursor reads a cursor. The error wraps ErrBadCursor.
func DecodeCursor(cursor string) (Position, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil {
		return Position{}, fmt.Errorf("%w: not base64url", cqrsfeed.ErrBadCursor)
	}
	const timeLength = 8
	if len(raw) <= timeLength {
		return Position{}, fmt.Errorf("%w: too short", cqrsfeed.ErrBadCursor)
	}
	id := string(raw[timeLength:])
	if err := cqrsfeed.ValidateID(id); err != nil {
		return Position{}, fmt.Errorf("%w: %w", cqrsfeed.ErrBadCursor, err)
	}
	micros := int64(binary.BigEndian.Uint64(raw)) //nolint:gosec // the reverse of EncodeCursor
	return Position{CreatedAt: time.UnixMicro(micros).UTC(), ID: id}, nil
}
