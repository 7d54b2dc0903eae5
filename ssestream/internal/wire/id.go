package wire

import (
	"crypto/sha256"
	"encoding/base64"
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

// EventID returns the version where it is a valid event ID, its hash where it is not, and the hash of the encoded
// state where there is no version.
func EventID(version string, encoded []byte) string {
	switch {
	case version == "":
		return shortHash(encoded)
	case ValidEventID(version):
		return version
	default:
		return shortHash([]byte(version))
	}
}

// shortHash returns 96 bits of a hash that every instance computes alike.
func shortHash(b []byte) string {
	sum := sha256.Sum256(b)

	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// NoneMatches reports whether If-None-Match fields name the version, by the weak comparison of RFC 9110, section
// 13.1.2. A malformed field matches as far as it could be read.
func NoneMatches(fields []string, version string) bool {
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
			tag, after, ok := strings.Cut(rest[1:], `"`)
			if !ok {
				break
			}
			if tag == version {
				return true
			}
			rest = after
		}
	}

	return false
}
