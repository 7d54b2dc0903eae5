package stage

import "net/http"

// Writers answers the ways in which middleware hands on the response writer, by name.
func Writers() map[string]func(http.Handler) http.Handler {
	return map[string]func(http.Handler) http.Handler{
		"as it is":                func(h http.Handler) http.Handler { return h },
		"wrapped with Unwrap":     wrap(func(w http.ResponseWriter) http.ResponseWriter { return unwrappable{bare{w}, w} }),
		"wrapped with Flush only": wrap(func(w http.ResponseWriter) http.ResponseWriter { return flushable{bare{w}, w} }),
	}
}

func wrap(wrapped func(http.ResponseWriter) http.ResponseWriter) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(wrapped(w), r) })
	}
}

// bare hides all that the writer has besides.
type bare struct{ w http.ResponseWriter }

// Header is the writer's.
func (b bare) Header() http.Header { return b.w.Header() }

// Write is the writer's.
func (b bare) Write(p []byte) (int, error) { return b.w.Write(p) } //nolint:wrapcheck // a plain wrapper

// WriteHeader is the writer's.
func (b bare) WriteHeader(status int) { b.w.WriteHeader(status) }

type unwrappable struct {
	bare
	w http.ResponseWriter
}

// Unwrap is for http.ResponseController.
func (u unwrappable) Unwrap() http.ResponseWriter { return u.w }

type flushable struct {
	bare
	w http.ResponseWriter
}

// Flush is the writer's.
func (f flushable) Flush() { _ = http.NewResponseController(f.w).Flush() }
