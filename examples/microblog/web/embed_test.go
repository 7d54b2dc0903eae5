package web_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/examples/microblog/web"
)

const page = "<!doctype html>the page"

func files() fstest.MapFS {
	return fstest.MapFS{
		"index.html":         {Data: []byte(page)},
		"favicon.svg":        {Data: []byte("<svg xmlns='http://www.w3.org/2000/svg'/>")},
		"assets/app-1a2b.js": {Data: []byte("the script")},
		".gitkeep":           {Data: []byte("kept")},
	}
}

func ask(t *testing.T, handler http.Handler, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), method, path, http.NoBody))
	return recorder
}

// TestPages tests that every path that is not a file is a page, for the router of the frontend.
func TestPages(t *testing.T) {
	t.Parallel()
	handler := web.HandlerOf(files())
	for _, path := range []string{
		"/", "/feeds/go", "/feeds/%F0%9F%91%8D", "/posts/01J/edit", "/assets", "/assets/", "/.gitkeep",
		"/feeds/a.b", "//double",
	} {
		got := ask(t, handler, http.MethodGet, path)
		require.Equal(t, http.StatusOK, got.Code, path)
		require.Equal(t, page, got.Body.String(), path)
		require.Equal(t, "text/html; charset=utf-8", got.Header().Get("Content-Type"), path)
		require.Equal(t, "no-cache", got.Header().Get("Cache-Control"), "a page names the assets of its build")
	}
}

func TestIndexIsTheRoot(t *testing.T) {
	t.Parallel()
	got := ask(t, web.HandlerOf(files()), http.MethodGet, "/index.html")
	require.Equal(t, http.StatusMovedPermanently, got.Code)
	require.Equal(t, "./", got.Header().Get("Location"))
}

// TestPathsStayInFolder has paths that lead out of the folder.
func TestPathsStayInFolder(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/%2e%2e/go.mod", "/..%2F..%2Fgo.mod", "/assets/..%2F..%2Fgo.mod", "/feeds/..%2F..%2Fembed.go"} {
		got := ask(t, web.HandlerOf(files()), http.MethodGet, path)
		require.Equal(t, http.StatusBadRequest, got.Code, path)
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	handler := web.HandlerOf(files())
	script := ask(t, handler, http.MethodGet, "/assets/app-1a2b.js")
	require.Equal(t, http.StatusOK, script.Code)
	require.Equal(t, "the script", script.Body.String())
	require.Equal(t, "text/javascript; charset=utf-8", script.Header().Get("Content-Type"))
	require.Equal(t, "public, max-age=31536000, immutable", script.Header().Get("Cache-Control"))

	icon := ask(t, handler, http.MethodGet, "/favicon.svg")
	require.Equal(t, http.StatusOK, icon.Code)
	require.Equal(t, "image/svg+xml", icon.Header().Get("Content-Type"))
	require.NotContains(t, icon.Header().Get("Cache-Control"), "immutable", "its name has no hash of its content")

	head := ask(t, handler, http.MethodHead, "/assets/app-1a2b.js")
	require.Equal(t, http.StatusOK, head.Code)
	require.Empty(t, head.Body.String())
}

// TestMissingAssets tests that an asset of another build is not served as a page, which a browser would run and a cache
// would keep.
func TestMissingAssets(t *testing.T) {
	t.Parallel()
	handler := web.HandlerOf(files())
	for _, path := range []string{"/assets/app-0000.js", "/assets/x/y.css"} {
		got := ask(t, handler, http.MethodGet, path)
		require.Equal(t, http.StatusNotFound, got.Code, path)
		require.NotContains(t, got.Body.String(), page)
		require.NotContains(t, got.Header().Get("Cache-Control"), "immutable")
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		got := ask(t, web.HandlerOf(files()), method, "/")
		require.Equal(t, http.StatusMethodNotAllowed, got.Code)
		require.Equal(t, "GET, HEAD", got.Header().Get("Allow"))
	}
}

// TestNotBuilt has the empty folder of a fresh clone.
func TestNotBuilt(t *testing.T) {
	t.Parallel()
	handler := web.HandlerOf(fstest.MapFS{".gitkeep": {}})
	for _, path := range []string{"/", "/feeds/go", "/index.html"} {
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
