package response

import (
	"net/http"
	"time"

	"github.com/feedmill/feedmill/internal/header"
)

// SetShared sets the header fields of every response, stream or not. What middleware has set stays.
func SetShared(h http.Header) {
	header.Default(h, "Cache-Control", "private, no-cache")
	header.Include(h, "Vary", "Accept")
}

// SetHeader sets the header fields of every stream. A proxy that compresses would keep what it has not enough of yet, so it
// is told not to.
func SetHeader(h http.Header) {
	SetShared(h)
	header.Include(h, "Cache-Control", "no-transform")
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	h.Del("Content-Length")
}

// WriteHeader writes the header of a stream.
func WriteHeader(w http.ResponseWriter) {
	SetHeader(w.Header())
	w.WriteHeader(http.StatusOK)
}

// HasDeadlines reports whether http.ResponseController could set the writer's deadlines.
func HasDeadlines(w http.ResponseWriter) bool {
	return unwrapsTo[interface {
		SetWriteDeadline(deadline time.Time) error
	}](w)
}

// CanFlush reports whether http.ResponseController could flush the writer. It sends nothing.
func CanFlush(w http.ResponseWriter) bool {
	return unwrapsTo[interface{ FlushError() error }](w) || unwrapsTo[http.Flusher](w)
}

// unwrapsTo reports whether the writer, or one inside of it, is a T.
func unwrapsTo[T any](w http.ResponseWriter) bool {
	for {
		if _, ok := w.(T); ok {
			return true
		}
		outer, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = outer.Unwrap()
	}
}
