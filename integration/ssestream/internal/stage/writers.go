package stage

import "net/http"

// Writers returns the ways in which middleware passes the response writer on, by name.
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

// bare hides the other methods of the writer.
type bare struct{ w http.ResponseWriter }

// Header implements http.ResponseWriter.
func (b bare) Header() http.Header { return b.w.Header() }

// Write implements http.ResponseWriter.
func (b bare) Write(p []byte) (int, error) { return b.w.Write(p) } //nolint:wrapcheck // a plain wrapper

// WriteHeader implements http.ResponseWriter.
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

// Flush implements http.Flusher.
func (f flushable) Flush() { _ = http.NewResponseController(f.w).Flush() }
