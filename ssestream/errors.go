package ssestream

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/feedmill/feedmill/internal/problem"
	"github.com/feedmill/feedmill/ssestream/internal/wire"
)

var (
	// ErrClosed is returned by [Router.Run] after [Router.Close], and passed to the error handler for requests
	// that come after it or whose load it ended.
	ErrClosed = errors.New("router is closed")
	// ErrNoFlush is passed to the error handler when a stream is requested of an [http.ResponseWriter] that can
	// neither flush nor be unwrapped to one that can. It is a mistake of the middleware around the handler.
	ErrNoFlush = errors.New("response writer can neither flush nor be unwrapped")
	// ErrFrameTooLarge is logged when a state is larger than RouterConfig.MaxFrameBytes.
	ErrFrameTooLarge = wire.ErrFrameTooLarge
	// ErrExpired is passed to the error handler, with status 401, when AdapterBuilder.Expires of a request is not in the
	// future.
	ErrExpired = errors.New("request has expired")
)

// StatusError is an error with an HTTP status. RequestKey, Authorize and Load return it to answer, for example, 404:
//
//	return Post{}, &ssestream.StatusError{Status: http.StatusNotFound, Err: errors.New("no such post")}
//
// Any error with a method HTTPStatus() int does the same. Statuses 400 to 499 are final and end the request. Any other
// failure may pass, and a stream waits until it has.
type StatusError struct {
	// Status is the HTTP status to answer with.
	Status int
	// Err says what is wrong. With a status of 400 to 499 its text is shown to the client.
	Err error
	// Field is the field of the request that is wrong, if it is one. The problem document names it in its errors.
	Field string
}

// Error returns Field and the text of Err, or that of the status if Err is nil.
func (e *StatusError) Error() string {
	if e.Field == "" {
		return e.text()
	}

	return e.Field + " " + e.text()
}

func (e *StatusError) text() string {
	if e.Err == nil {
		return fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))
	}

	return e.Err.Error()
}

// Unwrap returns Err.
func (e *StatusError) Unwrap() error { return e.Err }

// HTTPStatus returns Status.
func (e *StatusError) HTTPStatus() int { return e.Status }

// ProblemErrors returns the errors of the problem document.
func (e *StatusError) ProblemErrors() any { return problem.Field(e.Field, e.text()) }

// StatusOf returns the HTTP status that err asks for: that of the first error in its tree with a method
// HTTPStatus() int, such as a [*StatusError]. Without one it returns 413 for a [*http.MaxBytesError], 503 for
// [context.DeadlineExceeded], and 500.
func StatusOf(err error) int { return problem.StatusOf(err) }

// final reports whether err ends the request, for no retry would change it.
func final(err error) bool {
	return err != nil && StatusOf(err) < http.StatusInternalServerError
}

// withStatus gives err a status unless it has one.
func withStatus(status int, err error) error {
	if err == nil || problem.Marked(err) {
		return err
	}

	return &StatusError{Status: status, Err: err}
}

// streamProblem is a problem document about one of several streams.
type streamProblem struct {
	Stream string `json:"stream,omitempty"`
	problem.Document
}

// encodeProblem describes err to a client. If err cannot be described, it says that the server has failed.
func encodeProblem(stream string, err error) []byte {
	encoded, failed := tryEncodeProblem(stream, err)
	if failed != nil {
		document := problem.Of(&StatusError{Status: http.StatusInternalServerError})
		encoded, _ = json.Marshal(streamProblem{Stream: stream, Document: document}) // There is nothing in it that may not encode.
	}

	return encoded
}

func tryEncodeProblem(stream string, err error) (encoded []byte, failed error) {
	defer recovered(&failed, "describe error") // Its methods are the user's, and the caller may write to other clients.

	return json.Marshal(streamProblem{Stream: stream, Document: problem.Of(err)})
}

// encodeStale says that the state of a stream may be out of date, because of err.
func encodeStale(stream string, err error) []byte {
	document := problem.Of(&StatusError{Status: http.StatusServiceUnavailable})
	document.Detail = "The state cannot be loaded at present. What is shown may be out of date."
	if errors.Is(err, ErrFrameTooLarge) {
		document = problem.Of(&StatusError{Status: http.StatusInternalServerError})
		document.Detail = "The state is too large to be sent. What is shown may be out of date."
	}
	encoded, _ := json.Marshal(streamProblem{Stream: stream, Document: document}) // There is nothing in it that may not encode.

	return encoded
}

// DefaultErrorHandler responds with an RFC 9457 problem document of the status of [StatusOf]. The error's
// text is shown for statuses below 500 only. An error in the tree with a method ProblemErrors() any gives the
// document a member "errors".
func DefaultErrorHandler(w http.ResponseWriter, _ *http.Request, err error) { problem.Write(w, err) }
