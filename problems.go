package feedmill

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/feedmill/feedmill/ssestream"
)

// WriteError writes the response to a request that failed. The status is that of ssestream.StatusOf, which knows the errors
// of cqrsfeed, and the body is a problem document (RFC 9457). The text of a status of 500 or more is only logged.
// Such a response is neither written nor logged if the request was cancelled, because its client has gone.
func (a *App) WriteError(w http.ResponseWriter, r *http.Request, err error) {
	if ssestream.StatusOf(err) >= http.StatusInternalServerError {
		if errors.Is(r.Context().Err(), context.Canceled) {
			return
		}
		a.logger.Error("Request failed", err, watermill.LogFields{"method": r.Method, "path": r.URL.Path})
	}
	a.config.Router.ErrorHandler(w, r, err)
}

// Problems returns a handler that serves mux, except for requests that mux would refuse in plain text. For these it calls
// WriteError: with 404 for an unknown path, and with 405 and the header Allow for a method that the path does not have.
func (a *App) Problems(mux *http.ServeMux) http.Handler {
	return ssestream.Before(func(w http.ResponseWriter, r *http.Request) http.Handler {
		if _, pattern := mux.Handler(r); pattern != "" {
			return mux
		}
		refused := refusal{header: http.Header{}}
		mux.ServeHTTP(&refused, r)
		problem := &ssestream.StatusError{Status: refused.status, Err: fmt.Errorf("there is nothing at %s", r.URL.Path)}
		if allowed := refused.header.Get("Allow"); allowed != "" {
			w.Header().Set("Allow", allowed)
			problem.Field, problem.Err = "method", fmt.Errorf("must be one of %s", allowed)
		}
		a.WriteError(w, r, problem)
		return nil
	})
}

// refusal is a response of which the status and the header are kept.
type refusal struct {
	header http.Header
	status int
}

// Header implements http.ResponseWriter.
func (r *refusal) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *refusal) WriteHeader(status int) { r.status = status }

// Write implements http.ResponseWriter.
func (r *refusal) Write(p []byte) (int, error) { return len(p), nil }
