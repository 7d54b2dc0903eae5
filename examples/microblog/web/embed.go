// Package web serves the microblog's pages. They are built from the sources in this folder into build/, and embedded into the
// binary.
package web

import (
	"embed"
	"io/fs"
	"net/http"

	"github.com/feedmill/feedmill"
)

//go:embed all:build
var build embed.FS

// Handler serves the built files, and the frontend at the addresses of its pages.
func Handler() http.Handler {
	built, err := fs.Sub(build, "build")
	if err != nil {
		panic(err) // The folder is embedded.
	}
	return handler(built)
}

func handler(built fs.FS) http.Handler {
	// The routes are those of src/router.ts. The rest is not found.
	pages, err := feedmill.Frontend(built, "/{$}", "/tags", "/two", "/live", "/feeds/{name}", "/posts/{id}")
	if err != nil {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "the pages are not built: run `make web` and build the server again", http.StatusNotFound)
		})
	}
	return pages
}
