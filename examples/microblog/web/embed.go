// Package web serves the microblog's pages. They are built from the sources in this folder into build/, and embedded into the
// binary.
package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed all:build
var build embed.FS

// routes are the patterns of the pages in src/router.ts. The rest is not found.
func routes() []string {
	return []string{"/{$}", "/two", "/live", "/feeds/{name}", "/posts/{id}"}
}

// Handler serves the built files, and the frontend at the addresses of its pages. At any other address the frontend is served
// with status 404 to browsers, so that it can show that there is no such page.
func Handler() http.Handler {
	built, err := fs.Sub(build, "build")
	if err != nil {
		panic(err) // The folder is embedded.
	}
	return handler(built)
}

func handler(built fs.FS) http.Handler {
	files, err := readFiles(built)
	if err != nil {
		panic(err) // The files are embedded.
	}
	page, isBuilt := files["index.html"]
	delete(files, "index.html")
	servePage, missing := page.serve, page.serveMissing
	if !isBuilt {
		servePage, missing = notBuilt, http.NotFound
	}
	mux := http.NewServeMux()
	for name, f := range files {
		mux.HandleFunc("GET /"+name, f.serve)
	}
	for _, route := range routes() {
		mux.HandleFunc("GET "+route, servePage)
	}
	mux.HandleFunc("GET /", missing)
	return mux
}

func notBuilt(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "the pages are not built: run `make web` and build the server again", http.StatusNotFound)
}

// file is a built file with its encodings, the preferred one first and the plain one last.
type file struct {
	name      string
	mediaType string
	encodings []encoding
}

type encoding struct {
	name    string // as in Accept-Encoding; "" for the file itself
	content []byte
	tag     string
}

// readFiles reads all files, by name. Those that precompress.js wrote are encodings of others.
func readFiles(built fs.FS) (map[string]file, error) {
	files := map[string]file{}
	err := fs.WalkDir(built, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(path.Base(name), ".") || path.Ext(name) == ".br" || path.Ext(name) == ".gz" {
			return err
		}
		f := file{name: name, mediaType: mime.TypeByExtension(path.Ext(name))}
		for _, known := range []struct{ name, ending string }{{"br", ".br"}, {"gzip", ".gz"}, {"", ""}} {
			content, err := fs.ReadFile(built, name+known.ending)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			sum := sha256.Sum256(content)
			f.encodings = append(f.encodings, encoding{known.name, content, `"` + hex.EncodeToString(sum[:8]) + `"`})
		}
		files[name] = f
		return nil
	})
	return files, err
}

// as returns the encoding that suits a request best.
func (f file) as(r *http.Request) encoding {
	accepted := map[string]bool{"": true}
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(strings.ReplaceAll(part, " ", ""), ";")
		accepted[strings.ToLower(name)] = !strings.HasPrefix(weight, "q=0") || strings.Trim(weight, "q=0.") != ""
	}
	for _, e := range f.encodings {
		if accepted[e.name] {
			return e
		}
	}
	return f.encodings[len(f.encodings)-1]
}

// describe sets the headers of a file and returns what to send.
func (f file) describe(w http.ResponseWriter, r *http.Request) encoding {
	e, header := f.as(r), w.Header()
	header.Set("Content-Type", f.mediaType)
	header.Set("Cache-Control", "no-cache") // a page names the assets of its build
	if strings.HasPrefix(f.name, "assets/") {
		header.Set("Cache-Control", "public, max-age=31536000, immutable") // these names have a hash of the content
	}
	header.Add("Vary", "Accept-Encoding")
	if e.name != "" {
		header.Set("Content-Encoding", e.name)
	}
	return e
}

// serve sends the file, a part of it, or that the client has it.
func (f file) serve(w http.ResponseWriter, r *http.Request) {
	e := f.describe(w, r)
	w.Header().Set("ETag", e.tag)
	http.ServeContent(w, r, f.name, time.Time{}, bytes.NewReader(e.content))
}

// serveMissing sends the frontend with status 404 to who reads HTML.
func (f file) serveMissing(w http.ResponseWriter, r *http.Request) {
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		http.NotFound(w, r)
		return
	}
	e := f.describe(w, r)
	w.WriteHeader(http.StatusNotFound)
	_, _ = w.Write(e.content) // a client that is gone needs no answer
}
