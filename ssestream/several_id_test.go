package ssestream_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
)

// FuzzResumption has a peer say that it has anything whatever.
func FuzzResumption(f *testing.F) {
	for _, seed := range []string{
		"", "a", "q", "q0123456789abcdef", "h0123456", "h01234567", "r0123456789abcdefg", "\x00", "q\xff", "é",
		"q" + strings.Repeat("0123456789abcdef", 8), strings.Repeat("q", 1000),
	} {
		f.Add(seed, "feed:go", "v1")
	}
	f.Fuzz(func(t *testing.T, id, stream, version string) {
		// It says no to what it was not given: here by a name that no other part of the test has.
		for n := range 4 {
			require.False(t, ssestream.Resumes(id, stream+"\x00never"+strconv.Itoa(n), version))
		}
		for streams := 1; streams <= ssestream.MaxStreams; streams++ {
			given := ssestream.SeveralID(streams, stream, version)
			require.LessOrEqual(t, len(given), 128)
			require.True(t, ssestream.ValidEventID(given))
			require.True(t, ssestream.Resumes(given, stream, version))
			require.False(t, ssestream.Resumes(given, stream, version+"0"))
			require.False(t, ssestream.Resumes(given, stream+"0", version))
		}
	})
}

func TestResumptionTakesIDsOfAnyWidth(t *testing.T) {
	t.Parallel()
	for streams := 1; streams <= ssestream.MaxStreams; streams++ {
		id := ssestream.SeveralID(streams, "feed:go", "v1")
		assert.True(t, ssestream.Resumes(id, "feed:go", "v1"))
		assert.False(t, ssestream.Resumes(id[:len(id)-1], "feed:go", "v1"), "it was cut")
		assert.False(t, ssestream.Resumes(id+"x", "feed:go", "v1"))
	}
	for _, id := range []string{"data", "17", "q", "h", "hshort", "zzzzzzzzzzzzzzzzzzz"} {
		assert.False(t, ssestream.Resumes(id, "feed:go", "v1"), id)
	}
}
