package room_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTailsAreBounded in number. Who lacks something else that is short is sent it as it is.
func TestTailsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLibrary(t)
		text := ""
		for i := range 40 {
			r := l.join(1) // by gzip
			text += fmt.Sprint(i, "\n")
			l.change(text)
			r.read()
		}
		text += strings.Repeat("x", 2_000)
		l.change(text)
		compressed := 0
		for _, r := range l.readers {
			before := len(r.sent)
			r.read()
			if len(r.sent)-before < 1_000 {
				compressed++
			}
			shown, _ := r.shown()
			require.Equal(t, text, shown)
			require.Equal(t, 1, r.whole)
		}
		assert.Equal(t, 16, compressed)
	})
}

// TestLongTailsAreBounded in what they take together. Who lacks another is sent the whole text, which all share. On a connection
// of several streams nothing is shared, and the end takes the least.
func TestLongTailsAreBounded(t *testing.T) {
	t.Parallel()
	for kind, atMost := range []int{1, 1, 40, 40} {
		synctest.Test(t, func(t *testing.T) {
			l := newLibrary(t)
			text := ""
			for i := range 40 {
				r := l.join(kind)
				text += fmt.Sprint(i, "\n")
				l.change(text)
				r.read()
			}
			text += strings.Repeat("x", 100_000)
			l.change(text)
			tails := 0
			for _, r := range l.readers {
				r.read()
				shown, _ := r.shown()
				require.Equal(t, text, shown)
				require.Equal(t, 2, r.whole+r.events)
				tails += r.events
			}
			assert.Equal(t, atMost, tails)
		})
	}
}
