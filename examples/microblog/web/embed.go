// Package web serves the microblog's pages. They are built from the sources in this folder into build/, and embedded into the
// binary.
package web

import (
	"embed"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed all:build
var build embed.FS

// Handler serves the built files. Any other path is a page, which the router of the frontend shows.
func Handler() http.Handler {
	files, err := fs.Sub(build, "build")
	if err != nil {
		panic(err) // The folder is embedded.
	}
	return handler(files)
}

func handler(files fs.FS) http.Handler {
	static := http.FileServerFS(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "pages can only be read", http.StatusMethodNotAllowed)
			return
		}
		name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
		switch info, err := fs.Stat(files, name); {
		case err == nil && !info.IsDir() && name != "index.html" && !strings.HasPrefix(name, "."):
			if strings.HasPrefix(name, "assets/") {
				// These names contain a hash of the content.
				w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
			}
			static.ServeHTTP(w, r)
		case strings.HasPrefix(name, "assets/"):
			http.NotFound(w, r)
		default:
			servePage(w, r, files)
		}
	})
}

func servePage(w http.ResponseWriter, r *http.Request, files fs.FS) {
	if _, err := fs.Stat(files, "index.html"); err != nil {
		http.Error(w, "the pages are not built: run `make web` and build the server again", http.StatusNotFound)
		return
	}
	w.Header().Set("Cache-Control", "no-cache")
	http.ServeFileFS(w, r, files, "index.html")
}
