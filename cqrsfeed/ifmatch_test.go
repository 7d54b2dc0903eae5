package cqrsfeed_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/internal/problem"
)

func ifMatch(t *testing.T, header ...string) ([]cqrsfeed.ChangeOption, error) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPatch, "/", http.NoBody)
	r.Header["If-Match"] = header
	return cqrsfeed.IfMatch(r)
}

func TestIfMatchAllowsTheVersionsItNames(t *testing.T) {
	t.Parallel()
	assert.Equal(t, `"7"`, cqrsfeed.Item[string]{Version: 7}.ETag())
	for name, test := range map[string]struct {
		header []string
		holds  bool
	}{
		"absent":          {nil, true},
		"any":             {[]string{"*"}, true},
		"the version":     {[]string{`"7"`}, true},
		"in a list":       {[]string{`"6" , "7"`}, true},
		"in fields":       {[]string{`"6"`, `"7"`}, true},
		"with a hash":     {[]string{`"7.q1w2e3"`}, true},
		"weak, a hash":    {[]string{`W/"7.q1w2e3"`}, false},
		"another, a hash": {[]string{`"8.7"`, `".7"`}, false},
		"another version": {[]string{`"8"`}, false},
		"weak":            {[]string{`W/"7"`}, false},
		"not canonical":   {[]string{`"07"`}, false},
		"no version":      {[]string{`"x"`, `""`, `"0"`}, false},
	} {
		options, err := ifMatch(t, test.header...)
		require.NoError(t, err, name)
		err = driver.CheckVersion(7, options)
		if test.holds {
			require.NoError(t, err, name)
		} else {
			require.ErrorIs(t, err, cqrsfeed.ErrConflict, name)
		}
	}
}

func TestIfMatchThatIsNoListOfTagsIsInvalid(t *testing.T) {
	t.Parallel()
	for _, header := range []string{"7", `"7`, `7"`, `"`, `"7", 8`, `x"7"`, `"7""8"`, ","} {
		_, err := ifMatch(t, header)
		require.ErrorIs(t, err, cqrsfeed.ErrInvalid, header)
		require.Equal(t, problem.Field("If-Match", "If-Match is not a list of quoted entity tags"), problem.Of(err).Errors)
	}
}

func TestErrorsHaveTheStatusOfTheirResponse(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]int{
		cqrsfeed.ErrExists: 409, cqrsfeed.ErrNotFound: 404, cqrsfeed.ErrConflict: 412, cqrsfeed.ErrInvalid: 400,
		cqrsfeed.ErrBadCursor: 400, cqrsfeed.ErrBadToken: 400, cqrsfeed.ErrUnknownOutcome: 504,
		cqrsfeed.ValidateFeed(""): 400,
	} {
		assert.Equal(t, want, problem.StatusOf(err), err.Error())
	}
}

func TestFieldErrorsNameEachField(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("create: %w", cqrsfeed.FieldErrors{{Field: "title", Detail: "is empty"}, {Field: "author", Detail: "is too long"}})
	document := problem.Of(err)
	require.Equal(t, 422, document.Status)
	require.Equal(t, "title is empty; author is too long", document.Detail)
	encoded, err := json.Marshal(document.Errors)
	require.NoError(t, err)
	require.JSONEq(t, `[{"field":"title","detail":"is empty"},{"field":"author","detail":"is too long"}]`, string(encoded))
}
