package reason_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"

	"github.com/feedmill/feedmill/internal/panics/panicstest"
	"github.com/feedmill/feedmill/internal/reason"
)

func TestTextCanBeKept(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "no reason was given", reason.Text(nil))
	assert.Equal(t, "a\uFFFDb\uFFFD", reason.Text(errors.New("a\x00b\xff")))
	long := reason.Text(errors.New(strings.Repeat("ä", reason.MaxLength)))
	assert.Len(t, long, reason.MaxLength)
	assert.Equal(t, "<nil>", reason.Text(panicstest.NilError()))
	odd := reason.Text(errors.New("x" + strings.Repeat("ä", reason.MaxLength)))
	assert.True(t, utf8.ValidString(odd))
	assert.LessOrEqual(t, len(odd), reason.MaxLength)
}
