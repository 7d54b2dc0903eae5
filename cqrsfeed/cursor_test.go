package cqrsfeed_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
)

func TestCursorKeepsItsPosition(t *testing.T) {
	t.Parallel()
	for _, p := range []cqrsfeed.Position{
		{CreatedAt: time.UnixMicro(0).UTC(), ID: "a"},
		{CreatedAt: time.Date(1931, 2, 3, 4, 5, 6, 7000, time.UTC), ID: "ü|%"},
		{CreatedAt: time.Date(2026, 11, 22, 1, 2, 3, 4000, time.UTC), ID: "01HZX"},
	} {
		got, err := cqrsfeed.DecodeCursor(cqrsfeed.EncodeCursor(p))
		require.NoError(t, err)
		assert.Equal(t, p, got)
	}
}

func TestBadCursorsAreRefused(t *testing.T) {
	t.Parallel()
	for _, cursor := range []string{"", "!", "AAAA", "AAAAAAAAAAA", "AAAAAAAAAAD_", "AAAAAAAAAABh=", " "} {
		_, err := cqrsfeed.DecodeCursor(cursor)
		require.ErrorIs(t, err, cqrsfeed.ErrBadCursor, cursor)
	}
}

// FuzzDecodeCursor shows that whatever is accepted is exactly what EncodeCursor makes: there is one cursor
// for a position, and none that was made up decodes to something else.
func FuzzDecodeCursor(f *testing.F) {
	f.Add(cqrsfeed.EncodeCursor(cqrsfeed.Position{CreatedAt: time.UnixMicro(1), ID: "x"}))
	f.Add("")
	f.Add("AAAAAAAAAABh")
	f.Add("_________2Fh")
	f.Fuzz(func(t *testing.T, cursor string) {
		p, err := cqrsfeed.DecodeCursor(cursor)
		if err != nil {
			require.ErrorIs(t, err, cqrsfeed.ErrBadCursor)
			return
		}
		assert.Equal(t, cursor, cqrsfeed.EncodeCursor(p))
	})
}
