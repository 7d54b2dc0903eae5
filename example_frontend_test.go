package feedmill_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing/fstest"

	"github.com/feedmill/feedmill"
)

// The pages of an application with a router of its own, as Vite builds them. A program embeds the folder (package embed).
func ExampleFrontend() {
	built := fstest.MapFS{
		"index.html":          {Data: []byte("<script src=/assets/app-1a2b.js></script>")},
		"assets/app-1a2b.js":  {Data: []byte("draw()")},
		"assets/logo-3c4d.js": {Data: []byte("…")},
	}
	pages := must(feedmill.Frontend(built, "/{$}", "/notes/{id}"))
	for _, path := range []string{"/notes/1", "/assets/app-1a2b.js", "/nobody"} {
		response := httptest.NewRecorder()
		pages.ServeHTTP(response, httptest.NewRequest(http.MethodGet, path, http.NoBody))
		fmt.Println(path, response.Code, response.Header().Get("Cache-Control"))
	}
	// Output:
	// /notes/1 200 no-cache
	// /assets/app-1a2b.js 200 public, max-age=31536000, immutable
	// /nobody 404 no-cache
}
