package feedmill_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/ssestream"
)

func TestReadJSON(t *testing.T) {
	t.Parallel()
	type input struct {
		Text string `json:"text"`
	}
	for name, test := range map[string]struct {
		contentType, body string
		status            int
		field             string
	}{
		"object":         {"application/json; charset=utf-8", `{"text":"hello"}`, 0, ""},
		"content type":   {"text/plain", `{"text":"hello"}`, http.StatusUnsupportedMediaType, "Content-Type"},
		"no body":        {"application/json", ``, http.StatusBadRequest, "body"},
		"null":           {"application/json", `null`, http.StatusBadRequest, "body"},
		"array":          {"application/json", `[]`, http.StatusBadRequest, "body"},
		"cut off":        {"application/json", `{"text":"hello"`, http.StatusBadRequest, "body"},
		"more behind it": {"application/json", `{"text":"hello"} {}`, http.StatusBadRequest, "body"},
		"invalid UTF-8":  {"application/json", "{\"text\":\"hello\xff\"}", http.StatusBadRequest, "body"},
		"wrong type":     {"application/json", `{"text":1}`, http.StatusBadRequest, "text"},
		"unknown field":  {"application/json", `{"a\"b":1}`, http.StatusBadRequest, `a"b`},
		"too large":      {"application/json", `{"text":"` + strings.Repeat("x", 100) + `"}`, http.StatusRequestEntityTooLarge, "body"},
		"much behind it": {"application/json", `{"text":"hello"}` + strings.Repeat(" ", 100), http.StatusRequestEntityTooLarge, "body"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(test.body))
			r.Header.Set("Content-Type", test.contentType)
			got, err := feedmill.ReadJSON[input](httptest.NewRecorder(), r, 100)
			if test.field == "" {
				require.NoError(t, err)
				assert.Equal(t, input{"hello"}, got)
				return
			}
			var refused *ssestream.StatusError
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, test.status, refused.Status)
			assert.Equal(t, test.field, refused.Field)
		})
	}
}
