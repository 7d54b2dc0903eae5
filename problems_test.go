package feedmill_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill"
)

// TestProblems: what a http.ServeMux refuses in plain text becomes a problem document; all else passes.
func TestProblems(t *testing.T) {
	t.Parallel()
	app := newApp(t, feedmill.Config{Outbox: newNotes(t).store.Outbox()})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /notes/{id}", func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(r.PathValue("id"))) })
	mux.HandleFunc("DELETE /notes/{id}", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "mine", http.StatusNotFound) })
	mux.HandleFunc("GET /folder/", func(http.ResponseWriter, *http.Request) {})
	handler := app.Problems(mux)
	ask := func(method, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody))
		return w
	}
	for request, want := range map[[2]string]struct {
		status        int
		allow, detail string
	}{
		{http.MethodPost, "/notes/1"}:       {http.StatusMethodNotAllowed, "DELETE, GET, HEAD", "method must be one of DELETE, GET, HEAD"},
		{http.MethodPost, "/other"}:         {http.StatusNotFound, "", "there is nothing at /other"},
		{http.MethodGet, "/notes/1/more"}:   {http.StatusNotFound, "", "there is nothing at /notes/1/more"},
		{http.MethodOptions, "/folder/any"}: {http.StatusMethodNotAllowed, "GET, HEAD", "method must be one of GET, HEAD"},
	} {
		w := ask(request[0], request[1])
		require.Equal(t, want.status, w.Code, request)
		assert.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
		assert.Equal(t, want.allow, w.Header().Get("Allow"))
		var problem struct{ Detail string }
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &problem))
		assert.Equal(t, want.detail, problem.Detail)
	}
	require.Equal(t, "1", ask(http.MethodGet, "/notes/1").Body.String())
	require.Equal(t, http.StatusOK, ask(http.MethodHead, "/notes/1").Code)
	require.Equal(t, "mine\n", ask(http.MethodDelete, "/notes/1").Body.String(), "the answers of handlers are left alone")
	require.Equal(t, "/folder/", ask(http.MethodGet, "/folder").Header().Get("Location"), "and so are redirections")
}
