package takeover_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream/internal/takeover"
)

// TestNetHTTPIsAsExpected fails loudly when a new version of Go renames what Take looks for in net/http. Streams still
// work then, but none is taken over: adapt wroteHeader to the new names.
func TestNetHTTPIsAsExpected(t *testing.T) {
	t.Parallel()
	type answer struct{ before, after, ok bool }
	answers := make(chan answer, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var a answer
		a.before, a.ok = takeover.WroteHeader(w)
		w.WriteHeader(http.StatusNoContent)
		a.after, _ = takeover.WroteHeader(w)
		answers <- a
	}))
	defer server.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
	require.NoError(t, err)
	response, err := server.Client().Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	got := <-answers
	require.True(t, got.ok, "net/http's response has another name, or no field wroteHeader of type bool, or no field w that is a *bufio.Writer")
	assert.False(t, got.before, "the field is true before the header is written")
	assert.True(t, got.after, "the field is false after the header was written")

	_, ok := takeover.WroteHeader(httptest.NewRecorder())
	assert.False(t, ok, "another writer")
}
