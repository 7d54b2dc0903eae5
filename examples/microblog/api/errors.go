package api

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/examples/microblog/post"
	"github.com/feedmill/feedmill/ssestream"
)

// refusal is an error that says what the client did wrong, and in which fields.
type refusal struct {
	status int
	detail string
	fields []post.FieldError
}

func (r *refusal) Error() string { return r.detail }

// HTTPStatus is the status of the response.
func (r *refusal) HTTPStatus() int { return r.status }

// ProblemErrors is a member of the problem document.
func (r *refusal) ProblemErrors() any {
	if r.fields == nil {
		return nil
	}
	return r.fields
}

// refuse returns a refusal because of one field of the request.
func refuse(status int, field, format string, args ...any) error {
	detail := fmt.Sprintf(format, args...)
	return &refusal{status: status, detail: field + " " + detail, fields: []post.FieldError{{Field: field, Detail: detail}}}
}

// ErrorHandler answers a request that failed. It names the field that an error of the library is about.
func ErrorHandler(w http.ResponseWriter, r *http.Request, err error) {
	var known interface{ ProblemErrors() any }
	if !errors.As(err, &known) {
		for _, about := range []struct {
			err           error
			field, detail string
		}{
			{cqrsfeed.ErrNotFound, "id", "names no post"},
			{cqrsfeed.ErrConflict, "If-Match", "is not the post's current version"},
			{cqrsfeed.ErrBadCursor, "cursor", "was not given out by this server, or is for a stream"},
			{cqrsfeed.ErrBadToken, cqrsfeed.TokenHeader, "was not given out by this server, or there are too many"},
			{cqrsfeed.ErrInvalid, "name", "cannot name a feed"},
			{cqrsfeed.ErrUnknownOutcome, "body", "may have been saved: look before you repeat it"},
		} {
			if errors.Is(err, about.err) {
				err = refuse(ssestream.StatusOf(err), about.field, "%s", about.detail)
				break
			}
		}
	}
	ssestream.DefaultErrorHandler(w, r, err)
}

// RefuseCrossOrigin answers a command that a page of another site sent.
func RefuseCrossOrigin(w http.ResponseWriter, r *http.Request) {
	ErrorHandler(w, r, refuse(http.StatusForbidden, "Origin", "is another site"))
}
