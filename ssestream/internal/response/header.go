package response

import "net/http"

// SetHeader sets the header fields of every stream.
func SetHeader(header http.Header) {
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-cache")
	header.Set("X-Accel-Buffering", "no")
	header.Add("Vary", "Accept")
	header.Del("Content-Length")
}

// WriteHeader answers with the header of a stream.
func WriteHeader(w http.ResponseWriter) {
	SetHeader(w.Header())
	w.WriteHeader(http.StatusOK)
}

// CanFlush reports whether http.ResponseController could flush the writer. It sends nothing.
func CanFlush(w http.ResponseWriter) bool {
	for {
		switch t := w.(type) {
		case interface{ FlushError() error }, http.Flusher:
			return true
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return false
		}
	}
}
