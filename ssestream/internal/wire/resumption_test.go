package wire_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream/internal/wire"
)

// severalID returns the event ID of a connection of that many streams, each of which is the stream at the version.
func severalID(streams int, stream, version string) string {
	width := wire.TokenWidth(streams)

	return string(wire.WidthDigit(width)) + strings.Repeat(wire.Token(stream, version, width), streams)
}

func resumes(id, stream, version string) bool { return wire.ParseResumption(id).Has(stream, version) }

// FuzzResumption parses IDs that no instance made.
func FuzzResumption(f *testing.F) {
	for _, seed := range []string{
		"", "a", "q", "q0123456789abcdef", "h0123456", "h01234567", "r0123456789abcdefg", "\x00", "q\xff", "é",
		"q" + strings.Repeat("0123456789abcdef", 8), strings.Repeat("q", 1000),
	} {
		f.Add(seed, "feed:go", "v1")
	}
	f.Fuzz(func(t *testing.T, id, stream, version string) {
		// A name that no other part of the test uses is never among the tokens.
		for n := range 4 {
			require.False(t, resumes(id, stream+"\x00never"+strconv.Itoa(n), version))
		}
		for streams := 1; streams <= wire.MaxStreams; streams++ {
			given := severalID(streams, stream, version)
			require.LessOrEqual(t, len(given), 128)
			require.True(t, wire.ValidEventID(given))
			require.True(t, resumes(given, stream, version))
			require.False(t, resumes(given, stream, version+"0"))
			require.False(t, resumes(given, stream+"0", version))
		}
	})
}

func TestResumptionTakesIDsOfAnyWidth(t *testing.T) {
	t.Parallel()
	for streams := 1; streams <= wire.MaxStreams; streams++ {
		id := severalID(streams, "feed:go", "v1")
		assert.True(t, resumes(id, "feed:go", "v1"))
		assert.False(t, resumes(id[:len(id)-1], "feed:go", "v1"), "a cut ID")
		assert.False(t, resumes(id+"x", "feed:go", "v1"))
	}
	for _, id := range []string{"data", "17", "q", "h", "hshort", "zzzzzzzzzzzzzzzzzzz"} {
		assert.False(t, resumes(id, "feed:go", "v1"), id)
	}
}
