package feedmill_test

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill"
)

const page = "<!doctype html>the page"

func files() fstest.MapFS {
	return fstest.MapFS{
		"index.html":            {Data: []byte(page)},
		"index.html.br":         {Data: []byte("the page in Brotli")},
		"favicon.svg":           {Data: []byte("<svg xmlns='http://www.w3.org/2000/svg'/>")},
		"robots.txt":            {Data: []byte("User-agent: *")},
		"assets/app-1a2b.js":    {Data: []byte("the script")},
		"assets/app-1a2b.js.br": {Data: []byte("in Brotli")},
		"assets/app-1a2b.js.gz": {Data: []byte("in gzip")},
		"notes.unknown":         {Data: []byte("the notes")},
		"notes.unknown.gz":      {Data: []byte("\x1f\x8b\x08 in gzip")},
		"dump.tar.gz":           {Data: []byte("\x1f\x8b\x08 the dump")},
		".gitkeep":              {Data: []byte("kept")},
		".vite/manifest.json":   {Data: []byte("{}")},
	}
}

func frontend(t *testing.T) http.Handler {
	t.Helper()
	handler, err := feedmill.Frontend(files(), "/{$}", "/feeds/{name}", "/posts/{id}")
	require.NoError(t, err)
	return handler
}

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

func TestFrontendPages(t *testing.T) {
	t.Parallel()
	handler := frontend(t)
	for _, path := range []string{"/", "/feeds/go", "/feeds/%F0%9F%91%8D", "/feeds/a.b", "/feeds/a%2Fb", "/feeds/~all", "/posts/01J"} {
		got := ask(t, handler, http.MethodGet, path)
		require.Equal(t, http.StatusOK, got.Code, path)
		require.Equal(t, page, got.Body.String(), path)
		require.Equal(t, "text/html; charset=utf-8", got.Header().Get("Content-Type"), path)
		require.Equal(t, "no-cache", got.Header().Get("Cache-Control"), "a page names the assets of its build")
	}
}

// TestFrontendNotFound: browsers are shown the frontend, which says that there is no such page, and others are not.
func TestFrontendNotFound(t *testing.T) {
	t.Parallel()
	handler := frontend(t)
	for _, path := range []string{
		"/x.js", "/nobody", "/feeds", "/feeds/", "/posts/1/edit", "/assets", "/assets/", "/assets/app-0000.js", "/assets/app-1a2b.js.br", "/.gitkeep", "/.vite/manifest.json",
		"/index.html", "/%2e%2e/go.mod", "/..%2F..%2Fgo.mod", "/assets/..%2F..%2Fgo.mod", "/feeds/x/..%2Fembed.go",
	} {
		got := ask(t, handler, http.MethodGet, path, "Accept", "*/*")
		require.Equal(t, http.StatusNotFound, got.Code, path)
		require.NotContains(t, got.Body.String(), page)
		require.Equal(t, "no-cache", got.Header().Get("Cache-Control"), path)
		require.Contains(t, got.Header().Values("Vary"), "Accept", path)
		got = ask(t, handler, http.MethodGet, path, "Accept", "text/html,*/*;q=0.8")
		require.Equal(t, http.StatusNotFound, got.Code, path)
		require.Equal(t, page, got.Body.String(), path)
		require.Equal(t, "no-cache", got.Header().Get("Cache-Control"), path)
		require.Equal(t, []string{"Accept", "Accept-Encoding"}, got.Header().Values("Vary"), path)
	}
	got := ask(t, handler, http.MethodGet, "/nobody", "Accept", "text/html", "Accept-Encoding", "br")
	require.Equal(t, "the page in Brotli", got.Body.String())
	require.Equal(t, "br", got.Header().Get("Content-Encoding"))
}

func TestFrontendFiles(t *testing.T) {
	t.Parallel()
	handler := frontend(t)
	script := ask(t, handler, http.MethodGet, "/assets/app-1a2b.js")
	require.Equal(t, http.StatusOK, script.Code)
	require.Equal(t, "the script", script.Body.String())
	require.Equal(t, "text/javascript; charset=utf-8", script.Header().Get("Content-Type"))
	require.Equal(t, "public, max-age=31536000, immutable", script.Header().Get("Cache-Control"))

	icon := ask(t, handler, http.MethodGet, "/favicon.svg")
	require.Equal(t, http.StatusOK, icon.Code)
	require.Equal(t, "image/svg+xml", icon.Header().Get("Content-Type"))
	require.NotContains(t, icon.Header().Get("Cache-Control"), "immutable", "its name has no hash of its content")
	require.Equal(t, http.StatusNotModified, ask(t, handler, http.MethodGet, "/favicon.svg", "If-None-Match", icon.Header().Get("ETag")).Code)
	require.Equal(t, "User-agent: *", ask(t, handler, http.MethodGet, "/robots.txt").Body.String())

	head := ask(t, handler, http.MethodHead, "/assets/app-1a2b.js")
	require.Equal(t, http.StatusOK, head.Code)
	require.Empty(t, head.Body.String())
}

func TestFrontendEncodings(t *testing.T) {
	t.Parallel()
	handler := frontend(t)
	tags := map[string]bool{}
	for accepted, want := range map[string][2]string{
		"":                          {"", "the script"},
		"identity":                  {"", "the script"},
		"deflate, zstd":             {"", "the script"},
		"gzip, deflate":             {"gzip", "in gzip"},
		"gzip, deflate, br, zstd":   {"br", "in Brotli"},
		"GZIP;q=0.5, BR;q=0.1":      {"br", "in Brotli"},
		"br;q=0, gzip":              {"gzip", "in gzip"},
		"br; q=0.000, gzip;q=0, zx": {"", "the script"},
	} {
		got := ask(t, handler, http.MethodGet, "/assets/app-1a2b.js", "Accept-Encoding", accepted)
		require.Equal(t, want, [2]string{got.Header().Get("Content-Encoding"), got.Body.String()}, accepted)
		require.Equal(t, "Accept-Encoding", got.Header().Get("Vary"))
		require.Equal(t, "text/javascript; charset=utf-8", got.Header().Get("Content-Type"))
		tags[got.Header().Get("ETag")] = true
	}
	require.Len(t, tags, 3, "each encoding has a tag of its own")
}

// TestFrontendMediaTypes: a file of an unknown type has that of its content, whatever its encoding.
func TestFrontendMediaTypes(t *testing.T) {
	t.Parallel()
	for _, accepted := range []string{"", "gzip"} {
		notes := ask(t, frontend(t), http.MethodGet, "/notes.unknown", "Accept-Encoding", accepted)
		require.Equal(t, accepted, notes.Header().Get("Content-Encoding"))
		require.Equal(t, "text/plain; charset=utf-8", notes.Header().Get("Content-Type"))
	}
	dump := ask(t, frontend(t), http.MethodGet, "/dump.tar.gz", "Accept-Encoding", "gzip")
	require.Equal(t, http.StatusOK, dump.Code, "it is no encoding of another file")
	require.Empty(t, dump.Header().Get("Content-Encoding"))
}

// TestFrontendAtEveryPath: a route may be every path.
func TestFrontendAtEveryPath(t *testing.T) {
	t.Parallel()
	for _, route := range []string{"/", "/{path...}"} {
		handler, err := feedmill.Frontend(files(), route)
		require.NoError(t, err)
		for path, want := range map[string]string{"/": page, "/nobody": page, "/a/b": page, "/robots.txt": "User-agent: *"} {
			got := ask(t, handler, http.MethodGet, path)
			require.Equal(t, http.StatusOK, got.Code, path)
			require.Equal(t, want, got.Body.String(), path)
		}
	}
}

func TestFrontendMethods(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		got := ask(t, frontend(t), method, "/")
		require.Equal(t, http.StatusMethodNotAllowed, got.Code)
		require.Equal(t, "GET, HEAD", got.Header().Get("Allow"))
	}
}

// TestFrontendNotBuilt has the empty folder of a fresh clone.
func TestFrontendNotBuilt(t *testing.T) {
	t.Parallel()
	_, err := feedmill.Frontend(fstest.MapFS{".gitkeep": {}}, "/{$}")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "index.html")
}
