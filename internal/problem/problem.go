// Package problem turns errors into problem documents (RFC 9457). An error says what it is to a client by methods,
// so that the packages that make errors and those that write them need not know each other:
//
//	HTTPStatus() int    // the status of the response
//	ProblemErrors() any // what is wrong in detail, such as a list of the fields of a form
package problem

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/feedmill/feedmill/internal/header"
)

// MediaType is the content type of a problem document.
const MediaType = "application/problem+json"

type statusError interface {
	error
	HTTPStatus() int
}

type detailedError interface {
	error
	ProblemErrors() any
}

// StatusOf returns the status of the first error in err's tree that has one between 400 and 599. Otherwise it
// returns 413 for a http.MaxBytesError, 503 for context.DeadlineExceeded, and 500.
func StatusOf(err error) int {
	if known, ok := marked(err); ok {
		return known.HTTPStatus()
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return http.StatusRequestEntityTooLarge
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// Marked reports whether an error in err's tree has a status.
func Marked(err error) bool {
	_, ok := marked(err)
	return ok
}

func marked(err error) (statusError, bool) {
	known, ok := errors.AsType[statusError](err)
	if !ok {
		return nil, false
	}
	status := known.HTTPStatus()
	return known, status >= 400 && status <= 599
}

// FieldError says what is wrong with one field of a request.
type FieldError struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

// Field returns what a method ProblemErrors returns that blames one field, or nil without a field.
func Field(field, detail string) any {
	if field == "" {
		return nil
	}
	return []FieldError{{Field: field, Detail: detail}}
}

// Document is a problem document.
type Document struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Errors any    `json:"errors,omitempty"`
}

// Of describes err to a client. Detail is the text of the error that has the status, without what was wrapped
// around it. The text of a status of 500 or more is for the log alone.
func Of(err error) Document {
	status := StatusOf(err)
	d := Document{Type: "about:blank", Title: http.StatusText(status), Status: status}
	if detailed, ok := errors.AsType[detailedError](err); ok {
		d.Errors = detailed.ProblemErrors()
	}
	if status >= http.StatusInternalServerError {
		return d
	}
	d.Detail = err.Error()
	if known, ok := marked(err); ok {
		// An error that was made by fmt.Errorf("%w: why", known) tells more than the known one.
		if i := strings.Index(d.Detail, known.Error()); i >= 0 {
			d.Detail = d.Detail[i:]
		} else {
			d.Detail = known.Error()
		}
	}
	return d
}

// Write writes the document of err as the response. No cache may keep it.
func Write(w http.ResponseWriter, err error) {
	d := Of(err)
	body, err := json.Marshal(d)
	if err != nil {
		d.Errors = nil // the only part that may not encode
		body, _ = json.Marshal(d)
	}
	h := w.Header()
	h.Set("Content-Type", MediaType)
	h.Set("X-Content-Type-Options", "nosniff")
	header.Include(h, "Cache-Control", "no-store")
	w.WriteHeader(d.Status)
	_, _ = w.Write(body) // a client that is gone needs no answer
}
