package cqrsfeed

import (
	"net/http"

	"github.com/feedmill/feedmill/internal/problem"
)

// The errors that callers branch on with errors.Is. Stores wrap them with the operation and its subject, and never
// return a driver's own error in their place. By its methods, feedmill.App and ssestream answer a request that failed
// with it: a problem document (RFC 9457) of its status, which names the field of the request that it is about.
var (
	// ErrExists is returned by Create when the id is taken, also by a deleted item. Status 409.
	ErrExists error = &statusError{"item exists already", http.StatusConflict, "id"}

	// ErrNotFound is returned for an item that does not exist or was deleted. Status 404.
	ErrNotFound error = &statusError{"item not found", http.StatusNotFound, "id"}

	// ErrConflict is returned by a change when the item does not have the version that IfVersion asks for.
	// Status 412, since the version usually comes from If-Match, see [IfMatch].
	ErrConflict error = &statusError{"item has another version", http.StatusPreconditionFailed, "If-Match"}

	// ErrInvalid is returned for ids, feed names and arguments that break a stated rule. Nothing was changed.
	// Status 400.
	ErrInvalid error = &statusError{"invalid argument", http.StatusBadRequest, ""}

	// ErrBadCursor is returned by Page for a cursor that Page did not return. Status 400.
	ErrBadCursor error = &statusError{"bad cursor", http.StatusBadRequest, "cursor"}

	// ErrBadToken is returned by ParseToken for a text that Token.String did not return. Status 400.
	ErrBadToken error = &statusError{"bad token", http.StatusBadRequest, TokenHeader}

	// ErrUnknownOutcome is returned when the connection was lost during a commit. The change and its event are
	// either both stored or both absent, and only a read can tell which. Status 504.
	ErrUnknownOutcome error = &statusError{"outcome unknown", http.StatusGatewayTimeout, ""}
)

// statusError is an error with the response to a request that failed with it.
type statusError struct {
	text   string
	status int
	field  string // of the request
}

func (e *statusError) Error() string { return e.text }

// HTTPStatus returns the status of the response.
func (e *statusError) HTTPStatus() int { return e.status }

// ProblemErrors returns the errors of the problem document.
func (e *statusError) ProblemErrors() any { return problem.Field(e.field, e.text) }
