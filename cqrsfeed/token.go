package cqrsfeed

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
)

// Token stands for a write: a version of an item. Whoever has one can have a read wait until the write is in the
// read model, see [Await] and [NewReadYourWrites].
type Token struct {
	ID      string
	Version int64
}

// Token is the token of the item's version, for the answer to the command that made it.
func (i Item[T]) Token() Token { return Token{ID: i.ID, Version: i.Version} }

// String is the token as clients carry it: opaque to them, at most 183 letters, digits, "-" and "_", so that it
// is safe in headers and URLs. It is neither a secret nor a permission: it holds the item's id and version.
func (t Token) String() string {
	raw := binary.AppendUvarint(nil, uint64(t.Version)) //nolint:gosec // versions are positive
	return base64.RawURLEncoding.EncodeToString(append(raw, t.ID...))
}

// ParseToken reads what String gave. The error wraps ErrBadToken.
func ParseToken(text string) (Token, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return Token{}, fmt.Errorf("%w: not base64url", ErrBadToken)
	}
	version, n := binary.Uvarint(raw)
	if n <= 0 || version == 0 || version > math.MaxInt64 {
		return Token{}, fmt.Errorf("%w: no version", ErrBadToken)
	}
	t := Token{ID: string(raw[n:]), Version: int64(version)}
	if err := ValidateID(t.ID); err != nil {
		return Token{}, fmt.Errorf("%w: %w", ErrBadToken, err)
	}
	if t.String() != text { // a varint, or base64 with line ends, can be written in other ways
		return Token{}, fmt.Errorf("%w: not as it was given out", ErrBadToken)
	}
	return t, nil
}
