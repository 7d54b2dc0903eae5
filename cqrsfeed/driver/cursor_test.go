package driver_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

func TestCursorKeepsItsPosition(t *testing.T) {
	t.Parallel()
	for _, p := range []driver.Position{
		{CreatedAt: time.UnixMicro(0).UTC(), ID: "a"},
		{CreatedAt: time.Date(1931, 2, 3, 4, 5, 6, 7000, time.UTC), ID: "ü|%"},
		{CreatedAt: time.Date(2026, 11, 22, 1, 2, 3, 4000, time.UTC), ID: "01HZX"},
	} {
		got, err := driver.DecodeCursor(driver.EncodeCursor(p))
		require.NoError(t, err)
		assert.Equal(t, p, got)
	}
}

func TestBadCursorsAreRefused(t *testing.T) {
	t.Parallel()
	for _, cursor := range []string{"", "!", "AAAA", "AAAAAAAAAAA", "AAAAAAAAAAD_", "AAAAAAAAAABh=", " "} {
		_, err := driver.DecodeCursor(cursor)
		require.ErrorIs(t, err, cqrsfeed.ErrBadCursor, cursor)
	}
}

// FuzzDecodeCursor checks that every accepted cursor is exactly what EncodeCursor returns: a position has one cursor.
func FuzzDecodeCursor(f *testing.F) {
	f.Add(driver.EncodeCursor(driver.Position{CreatedAt: time.UnixMicro(1), ID: "x"}))
	f.Add("")
	f.Add("AAAAAAAAAABh")
	f.Add("_________2Fh")
	f.Fuzz(func(t *testing.T, cursor string) {
		p, err := driver.DecodeCursor(cursor)
		if err != nil {
			require.ErrorIs(t, err, cqrsfeed.ErrBadCursor)
			return
		}
		assert.Equal(t, cursor, driver.EncodeCursor(p))
	})
}
