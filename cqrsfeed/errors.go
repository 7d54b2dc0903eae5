package cqrsfeed

import (
	"net/http"
	"strings"

	"github.com/feedmill/feedmill/internal/problem"
)

// The errors that callers test with errors.Is. Stores wrap them with the operation and its subject, and never return a
// driver's own error in their place. When a request fails with one, feedmill.App and ssestream respond with a problem
// document (RFC 9457) that has its status and names the field of the request at fault.
var (
	// ErrExists is returned by Create when the id is taken, also by a deleted item. Status 409.
	ErrExists error = &statusError{text: "item exists already", status: http.StatusConflict, field: "id"}

	// ErrNotFound is returned for an item that does not exist or was deleted. Status 404.
	ErrNotFound error = &statusError{text: "item not found", status: http.StatusNotFound, field: "id"}

	// ErrConflict is returned by a change whose IfVersion names another version than that of the item. Status 412,
	// since the version usually comes from If-Match: see [IfMatch].
	ErrConflict error = &statusError{text: "item has another version", status: http.StatusPreconditionFailed, field: "If-Match"}

	// ErrInvalid is returned for ids, feed names and arguments that break a stated rule. Nothing was changed.
	// Status 400.
	ErrInvalid error = &statusError{text: "invalid argument", status: http.StatusBadRequest}

	// ErrTooLarge is returned for a body whose event is larger than the store is configured for. It is an ErrInvalid.
	// Status 413.
	ErrTooLarge error = &statusError{text: "too large", status: http.StatusRequestEntityTooLarge, kind: ErrInvalid}

	// ErrBadCursor is returned by Page for a cursor that Page did not return. Status 400.
	ErrBadCursor error = &statusError{text: "bad cursor", status: http.StatusBadRequest, field: "cursor"}

	// ErrBadToken is returned by ParseToken for a text that Token.String did not return. Status 400.
	ErrBadToken error = &statusError{text: "bad token", status: http.StatusBadRequest, field: TokenHeader}

	// ErrUnknownOutcome is returned when the connection was lost during a commit. The change and its event are
	// either both stored or both absent, and only a read can tell which. Status 504.
	ErrUnknownOutcome error = &statusError{text: "outcome unknown", status: http.StatusGatewayTimeout}
)

// statusError is an error with the status of the response.
type statusError struct {
	text   string
	status int
	field  string // of the request
	kind   error  // what Unwrap returns
}

func (e *statusError) Error() string { return e.text }

// Unwrap returns the more general error, or nil.
func (e *statusError) Unwrap() error { return e.kind }

// HTTPStatus returns the status of the response.
func (e *statusError) HTTPStatus() int { return e.status }

// ProblemErrors returns the errors of the problem document.
func (e *statusError) ProblemErrors() any { return problem.Field(e.field, e.text) }

// FieldErrors are what is wrong with the fields of a request: an application returns them for input that breaks its rules.
// The response has status 422 and names each field.
type FieldErrors []FieldError

// FieldError says what is wrong with one field of a request.
type FieldError struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

// Error joins the details.
func (e FieldErrors) Error() string {
	details := make([]string, len(e))
	for i, f := range e {
		details[i] = f.Field + " " + f.Detail
	}
	return strings.Join(details, "; ")
}

// HTTPStatus returns the status of the response.
func (FieldErrors) HTTPStatus() int { return http.StatusUnprocessableEntity }

// ProblemErrors returns the errors of the problem document.
func (e FieldErrors) ProblemErrors() any { return e }
