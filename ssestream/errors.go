package ssestream

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

var (
	// ErrClosed is returned by [Router.Run] after [Router.Close], and handed to the error handler for requests
	// that come after it or whose load it ended.
	ErrClosed = errors.New("router is closed")
	// ErrRunning is returned by [Router.Run] when the router has been started before.
	ErrRunning = errors.New("router has been started already")
	// ErrNoFlush is handed to the error handler when a stream is asked of an [http.ResponseWriter] that can
	// neither flush nor be unwrapped to one that can. It is a mistake in the middleware around the handler.
	ErrNoFlush = errors.New("response writer can neither flush nor be unwrapped")
	// ErrFrameTooLarge is logged when a state is larger than RouterConfig.MaxFrameBytes.
	ErrFrameTooLarge = errors.New("frame is too large")
	// ErrNoStream is what a client is told, with status 404, of a stream whose name no [Stream] has.
	ErrNoStream = errors.New("there is no such stream")
	// ErrStreamCount is handed to the error handler, with status 400, when a request names no stream, or more than
	// [MaxStreams].
	ErrStreamCount = fmt.Errorf("the query has to name 1 to %d streams", MaxStreams)
	// ErrExpired is handed to the error handler, with status 401, when a request's AdapterBuilder.Expires is not
	// in the future.
	ErrExpired = errors.New("request has expired")
)

// StatusError is an error that knows its HTTP status. RequestKey, Authorize and Load return it to answer, for
// example, 404:
//
//	return Post{}, &ssestream.StatusError{Status: http.StatusNotFound, Err: errors.New("no such post")}
//
// Statuses 400 to 499 are the truth about the request and end it. Everything else is taken as passing trouble,
// which a stream waits out.
type StatusError struct {
	// Status is the HTTP status to answer with.
	Status int
	// Err says what is wrong. With a status of 400 to 499 its text is shown to the client.
	Err error
}

// Error answers the text of Err, or the status's own where there is no Err.
func (e *StatusError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status))
	}

	return e.Err.Error()
}

// Unwrap answers Err.
func (e *StatusError) Unwrap() error { return e.Err }

// StatusOf answers the HTTP status that err asks for by a [*StatusError] in its chain, and 500 where there is none.
func StatusOf(err error) int {
	var status *StatusError
	if errors.As(err, &status) && status.Status >= 400 && status.Status <= 599 {
		return status.Status
	}

	return http.StatusInternalServerError
}

// final says whether err is the truth about the request, not passing trouble.
func final(err error) bool {
	return err != nil && StatusOf(err) < http.StatusInternalServerError
}

// withStatus gives err a status unless it has one.
func withStatus(status int, err error) error {
	var known *StatusError
	if err == nil || errors.As(err, &known) {
		return err
	}

	return &StatusError{Status: status, Err: err}
}

// problem is an RFC 9457 problem document.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
}

// problemOf describes err to a client. The text of what is not the client's fault is for the log.
func problemOf(err error) problem {
	status := StatusOf(err)
	p := problem{Type: "about:blank", Title: http.StatusText(status), Status: status}
	var known *StatusError
	if status < http.StatusInternalServerError && errors.As(err, &known) {
		p.Detail = known.Error()
	}

	return p
}

// DefaultErrorHandler answers err as an RFC 9457 problem document with the status of [StatusOf]. The error's
// text is shown for statuses below 500 only: what else went wrong is for the log, not for the client.
func DefaultErrorHandler(w http.ResponseWriter, _ *http.Request, err error) {
	p := problemOf(err)
	body, err := json.Marshal(p)
	if err != nil {
		body = []byte("{}")
	}

	header := w.Header()
	header.Set("Content-Type", "application/problem+json")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // The peer may be gone; there is nobody left to tell.
}
