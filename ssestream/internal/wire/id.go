package wire

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
)

// maxEventIDLength bounds event IDs: a Last-Event-ID header of more than 128 bytes makes a cross-origin reconnect
// need a CORS preflight.
const maxEventIDLength = 128

// ErrEventID is returned for an event ID that [ValidEventID] refuses.
var ErrEventID = fmt.Errorf("event ID is not printable ASCII of at most %d bytes", maxEventIDLength)

// ValidEventID reports whether id fits into an id field and into an entity tag.
func ValidEventID(id string) bool {
	if len(id) > maxEventIDLength {
		return false
	}
	for i := range len(id) {
		if c := id[i]; c <= ' ' || c >= 0x7f || c == '"' {
			return false
		}
	}

	return true
}

// Stamp returns 96 bits of a hash of the content and of what it belongs to. Every instance computes it alike. It is a
// valid event ID.
func Stamp(content []byte, of ...string) string {
	hash := sha256.New()
	var length [8]byte
	for _, part := range of {
		binary.BigEndian.PutUint64(length[:], uint64(len(part))) // so that parts cannot run into each other
		hash.Write(length[:])
		hash.Write([]byte(part))
	}
	hash.Write(content)

	return base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:12])
}

// EntityTag returns the opaque part of an entity tag: the stamp, behind the version and a dot where there is a version
// that fits.
func EntityTag(version, stamp string) string {
	if tag := version + "." + stamp; version != "" && ValidEventID(tag) {
		return tag
	}

	return stamp
}

// NoneMatches reports whether If-None-Match fields name the tag, by the weak comparison of RFC 9110, section
// 13.1.2. A malformed field matches as far as it could be read.
func NoneMatches(fields []string, tag string) bool {
	for _, rest := range fields {
		for {
			rest = strings.TrimLeft(rest, " \t,")
			if strings.HasPrefix(rest, "*") {
				return true
			}
			rest = strings.TrimPrefix(rest, "W/")
			if !strings.HasPrefix(rest, `"`) {
				break
			}
			named, after, ok := strings.Cut(rest[1:], `"`)
			if !ok {
				break
			}
			if named == tag {
				return true
			}
			rest = after
		}
	}

	return false
}
