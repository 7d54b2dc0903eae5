package web_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/examples/microblog/web"
)

// ask returns the response to a request. header has names and values.
func ask(t *testing.T, handler http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	recorder := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody)
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	handler.ServeHTTP(recorder, request)
	return recorder
}

// TestPagesOfTheFrontend: each route of the frontend is a page of the server.
func TestPagesOfTheFrontend(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("src/router.ts")
	require.NoError(t, err)
	routes := regexp.MustCompile(`path: '([^']+)', name: '([^']+)'`).FindAllStringSubmatch(string(source), -1)
	require.Greater(t, len(routes), 3)
	built := fstest.MapFS{"index.html": {Data: []byte("the page")}}
	for _, route := range routes {
		if route[2] != "not-found" {
			path := regexp.MustCompile(`:\w+`).ReplaceAllString(route[1], "x")
			require.Equal(t, http.StatusOK, ask(t, web.HandlerOf(built), http.MethodGet, path).Code, path)
		}
	}
}

// TestNotBuilt has the empty folder of a fresh clone.
func TestNotBuilt(t *testing.T) {
	t.Parallel()
	handler := web.HandlerOf(fstest.MapFS{".gitkeep": {}})
	for _, path := range []string{"/", "/feeds/go"} {
		got := ask(t, handler, http.MethodGet, path)
		require.Equal(t, http.StatusNotFound, got.Code)
		require.Contains(t, got.Body.String(), "make web", "the text says what to do")
	}
}

// TestEmbedded serves the embedded folder, built or not.
func TestEmbedded(t *testing.T) {
	t.Parallel()
	got := ask(t, web.Handler(), http.MethodGet, "/")
	if got.Code != http.StatusOK {
		require.Contains(t, got.Body.String(), "make web")
		return
	}
	require.Contains(t, got.Body.String(), `<div id="app">`)
}
