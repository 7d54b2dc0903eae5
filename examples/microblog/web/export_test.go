package web

import (
	"io/fs"
	"net/http"
)

// HandlerOf returns Handler with other files than the embedded ones.
func HandlerOf(files fs.FS) http.Handler { return handler(files) }
