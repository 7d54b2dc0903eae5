// Package api is the microblog's HTTP API: commands and plain reads as JSON, every refusal as problem JSON
// (RFC 9457).
package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/examples/microblog/post"
	"github.com/feedmill/feedmill/ssestream"
)

// problem is the body of a refusal.
type problem struct {
	Type   string            `json:"type"`
	Title  string            `json:"title"`
	Status int               `json:"status"`
	Detail string            `json:"detail,omitempty"`
	Errors []post.FieldError `json:"errors,omitempty"`
}

// refusal is an error that says what the client did wrong, and in which field.
type refusal struct {
	status int
	detail string
	fields []post.FieldError
}

func (r *refusal) Error() string { return r.detail }

// refuse makes a refusal about one field of the request.
func refuse(status int, field, format string, args ...any) error {
	detail := fmt.Sprintf(format, args...)
	return &refusal{status: status, detail: field + " " + detail, fields: []post.FieldError{{Field: field, Detail: detail}}}
}

// ErrorHandler answers an error: a 4xx that says what to mend where the request is at fault, otherwise a
// 500 that only the log explains.
func ErrorHandler(logger *slog.Logger) func(http.ResponseWriter, *http.Request, error) {
	return func(w http.ResponseWriter, r *http.Request, err error) {
		if r.Context().Err() != nil {
			return // the client went away, which is neither a failure nor to be answered
		}
		p := problemOf(err)
		if p.Status >= http.StatusInternalServerError {
			logger.ErrorContext(r.Context(), "Request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		}
		writeProblem(w, p)
	}
}

func problemOf(err error) problem {
	p := problem{Status: ssestream.StatusOf(err)}
	var refused *refusal
	var invalid post.ValidationError
	switch {
	case errors.As(err, &refused):
		p.Status, p.Detail, p.Errors = refused.status, refused.detail, refused.fields
	case errors.As(err, &invalid):
		p.Status, p.Detail, p.Errors = http.StatusUnprocessableEntity, invalid.Error(), invalid
	case errors.Is(err, cqrsfeed.ErrNotFound):
		p.Status, p.Detail, p.Errors = http.StatusNotFound, "there is no such post", []post.FieldError{{Field: "id", Detail: "names no post"}}
	case errors.Is(err, cqrsfeed.ErrConflict):
		p.Status, p.Detail, p.Errors = http.StatusPreconditionFailed, "the post was changed meanwhile",
			[]post.FieldError{{Field: "If-Match", Detail: "is not the post's current version"}}
	case errors.Is(err, cqrsfeed.ErrBadCursor):
		p.Status, p.Detail, p.Errors = http.StatusBadRequest, "the cursor cannot be read",
			[]post.FieldError{{Field: "cursor", Detail: "was not given out by this server"}}
	case errors.Is(err, cqrsfeed.ErrBadToken):
		p.Status, p.Detail, p.Errors = http.StatusBadRequest, "the token cannot be read",
			[]post.FieldError{{Field: cqrsfeed.TokenHeader, Detail: "was not given out by this server, or there are too many"}}
	case errors.Is(err, cqrsfeed.ErrUnknownOutcome):
		p.Detail = "the connection to the database was lost while the change was being saved: look whether it is there before you repeat it"
	case errors.Is(err, context.DeadlineExceeded):
		p.Status, p.Detail = http.StatusServiceUnavailable, "a server behind this one did not answer in time"
	case p.Status < http.StatusInternalServerError:
		p.Detail = err.Error()
	}
	return p
}

// RefuseCrossOrigin answers a command that a page of another site sent.
func RefuseCrossOrigin(w http.ResponseWriter, _ *http.Request) {
	writeProblem(w, problem{
		Status: http.StatusForbidden, Detail: "a page of another site cannot do this",
		Errors: []post.FieldError{{Field: "Origin", Detail: "is another site"}},
	})
}

func writeProblem(w http.ResponseWriter, p problem) {
	p.Type, p.Title = "about:blank", http.StatusText(p.Status)
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, p.Status, "application/problem+json", p)
}

func writeJSON(w http.ResponseWriter, status int, contentType string, body any) {
	encoded, err := json.Marshal(body)
	if err != nil {
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(encoded) // a client that went away needs no answer
}
