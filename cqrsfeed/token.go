package cqrsfeed

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
)

// Token identifies a write: a version of an item of some kind. A read with the token waits until the write is in the
// read model: see [Await] and [NewReadYourWrites].
type Token struct {
	// Kind distinguishes the items of several repositories, such as "note" and "user". It may be empty if there is only
	// one.
	Kind    string
	ID      string
	Version int64
}

// maxKindLength is the longest kind of a token, in bytes.
const maxKindLength = 64

// Token returns the token of the item's version, for the response to the command that made it.
func (i Item[T]) Token(kind string) Token { return Token{Kind: kind, ID: i.ID, Version: i.Version} }

// kindEnd separates kind and id in an encoded token. Neither has control characters.
const kindEnd = "\x00"

// String returns the token as clients carry it: up to 271 letters, digits, "-" and "_", safe in headers and URLs. It
// is neither a secret nor a permission.
func (t Token) String() string {
	raw := binary.AppendUvarint(nil, uint64(t.Version)) //nolint:gosec // versions are positive
	return base64.RawURLEncoding.EncodeToString(append(raw, t.Kind+kindEnd+t.ID...))
}

// ParseToken parses what String returned. Its error wraps ErrBadToken.
func ParseToken(text string) (Token, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return Token{}, fmt.Errorf("%w: not base64url", ErrBadToken)
	}
	version, n := binary.Uvarint(raw)
	if n <= 0 || version == 0 || version > math.MaxInt64 {
		return Token{}, fmt.Errorf("%w: no version", ErrBadToken)
	}
	kind, id, ok := strings.Cut(string(raw[n:]), kindEnd)
	if !ok {
		return Token{}, fmt.Errorf("%w: no kind", ErrBadToken)
	}
	if kind != "" {
		if err := validateName("kind", kind, maxKindLength); err != nil {
			return Token{}, fmt.Errorf("%w: %w", ErrBadToken, err)
		}
	}
	if err := ValidateID(id); err != nil {
		return Token{}, fmt.Errorf("%w: %w", ErrBadToken, err)
	}
	t := Token{Kind: kind, ID: id, Version: int64(version)}
	if t.String() != text { // a varint and base64 have several encodings
		return Token{}, fmt.Errorf("%w: not canonical", ErrBadToken)
	}
	return t, nil
}
