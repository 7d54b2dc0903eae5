package feedmill

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

// Frontend returns a handler for a built frontend, such as what Vite writes, embedded into the binary: its files, and index.html
// at the routes, which are patterns of http.ServeMux without a method, such as "/{$}" and "/feeds/{name}". At any other path it
// responds with 404, and with index.html to those who accept HTML, so that the frontend says that there is no such page. The
// route "/" is every other path.
//
// A file with .br or .gz at the end of its name is an encoding of the file beside it, if there is one, for clients that accept
// it. Files in assets/ have a hash of their content in their names and are cached for a year. Clients ask for other files each
// time, which costs them a 304 if nothing changed. Files are read once. Files and folders whose names begin with a dot are not
// served. The error is that of reading them, or fs.ErrNotExist if there is no index.html.
func Frontend(built fs.FS, routes ...string) (http.Handler, error) {
	files, err := readFiles(built)
	if err != nil {
		return nil, fmt.Errorf("frontend: %w", err)
	}
	page, isBuilt := files["index.html"]
	if !isBuilt {
		return nil, fmt.Errorf("frontend: index.html: %w: build it first", fs.ErrNotExist)
	}
	delete(files, "index.html")
	mux := http.NewServeMux()
	for name, f := range files {
		mux.HandleFunc("GET /"+name, f.serve)
	}
	for _, route := range routes {
		mux.HandleFunc("GET "+route, page.serve)
	}
	if !slices.ContainsFunc(routes, isEveryPath) {
		mux.HandleFunc("GET /", page.serveMissing)
	}
	return mux, nil
}

// isEveryPath reports whether a route is "/", also in the form "/{path...}".
func isEveryPath(route string) bool {
	return route == "/" || strings.HasPrefix(route, "/{") && strings.HasSuffix(route, "...}") && strings.Count(route, "/") == 1
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

// readFiles reads all files, by name.
func readFiles(built fs.FS) (map[string]file, error) {
	files := map[string]file{}
	err := fs.WalkDir(built, ".", func(name string, entry fs.DirEntry, err error) error {
		hidden := name != "." && strings.HasPrefix(path.Base(name), ".")
		switch {
		case err == nil && hidden && entry.IsDir():
			return fs.SkipDir
		case err != nil || hidden || entry.IsDir() || isEncoding(built, name):
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
			if known.name == "" && f.mediaType == "" {
				f.mediaType = http.DetectContentType(content)
			}
			sum := sha256.Sum256(content)
			f.encodings = append(f.encodings, encoding{known.name, content, `"` + hex.EncodeToString(sum[:8]) + `"`})
		}
		files[name] = f
		return nil
	})
	return files, err
}

// isEncoding reports whether a file is an encoding of another one.
func isEncoding(built fs.FS, name string) bool {
	ending := path.Ext(name)
	if ending != ".br" && ending != ".gz" {
		return false
	}
	_, err := fs.Stat(built, strings.TrimSuffix(name, ending))
	return err == nil
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
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
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

// serveMissing sends index.html with status 404 to who reads HTML.
func (f file) serveMissing(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Vary", "Accept")
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		http.NotFound(w, r)
		return
	}
	e := f.describe(w, r)
	w.WriteHeader(http.StatusNotFound)
	_, _ = w.Write(e.content) // a client that is gone needs no answer
}
