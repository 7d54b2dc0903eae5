package cqrsfeed_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
)

func TestNamesThatCannotBeKeptAreRefused(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"":                         "is empty",
		"a\x00b":                   "control character",
		"a\nb":                     "control character",
		"a\x7f":                    "control character",
		"\xff":                     "not valid UTF-8",
		strings.Repeat("x", 257):   "at most",
		strings.Repeat("é", 129):   "at most",
		"go":                       "",
		"naïve tag | with % and 🎉": "",
	} {
		for what, err := range map[string]error{"item id": cqrsfeed.ValidateID(name), "feed name": cqrsfeed.ValidateFeed(name)} {
			if want == "" {
				require.NoError(t, err, "%s %q", what, name)
				continue
			}
			require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
			require.ErrorContains(t, err, what)
			require.ErrorContains(t, err, want)
		}
	}
}

func TestPageLimit(t *testing.T) {
	t.Parallel()
	for limit, want := range map[int]int{-1: 50, 0: 50, 1: 1, 1000: 1000, 1001: 1000} {
		assert.Equal(t, want, driver.PageLimit(limit), limit)
	}
}
