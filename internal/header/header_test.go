package header_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/feedmill/feedmill/internal/header"
)

func TestInclude(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ lines, want []string }{
		"absent":      {nil, []string{"Accept"}},
		"others":      {[]string{"Cookie, Accept-Language"}, []string{"Cookie, Accept-Language, Accept"}},
		"lines":       {[]string{"Cookie", "Origin"}, []string{"Cookie, Origin, Accept"}},
		"present":     {[]string{"Cookie , aCCept"}, []string{"Cookie , aCCept"}},
		"second line": {[]string{"Cookie", "Accept"}, []string{"Cookie", "Accept"}},
	} {
		h := http.Header{"Vary": test.lines}
		header.Include(h, "Vary", "Accept")
		assert.Equal(t, test.want, h["Vary"], name)
	}
}

func TestDefault(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	header.Default(h, "Cache-Control", "no-cache")
	header.Default(h, "Cache-Control", "no-store")
	assert.Equal(t, http.Header{"Cache-Control": {"no-cache"}}, h)
}
