package ssestream

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// maxBody is how large the body of a request for a stream or a state may be, in bytes.
const maxBody = 64 << 10

// withBody returns the request with its body in memory. The body has to come within the given time: net/http
// waits for it, without a bound, before it sends an answer, and sees no client go before it has come. So nothing may be
// held for a request before its body is there.
func withBody(w http.ResponseWriter, r *http.Request, within time.Duration) (*http.Request, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return r, nil
	}
	control := http.NewResponseController(w)
	if bounded := control.SetReadDeadline(time.Now().Add(within)) == nil; !bounded {
		withoutBody(w, r, within)

		return r, nil // The body is left to who needs it.
	}
	all, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return r, bodyError(err, within)
	}
	if err := control.SetReadDeadline(time.Time{}); err != nil {
		return r, fmt.Errorf("clear read deadline: %w", err)
	}
	whole := *r
	whole.Body = newBody(all)

	return &whole, nil
}

// withoutBody has net/http answer a request whose body is not read. The connection is closed afterwards, within the given
// time: net/http would wait for the body, before the answer if the connection is to be used again, else behind it.
func withoutBody(w http.ResponseWriter, r *http.Request, within time.Duration) {
	if r.Body == nil || r.Body == http.NoBody || r.ProtoMajor != 1 {
		return // HTTP/2 ends the request with its answer.
	}
	w.Header().Set("Connection", "close")
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(within)) // Where there is none, the answer goes out first.
}

// body is a request's body in memory.
type body struct {
	io.Reader

	all []byte
}

func newBody(all []byte) *body { return &body{Reader: bytes.NewReader(all), all: all} }

// Close implements io.Closer.
func (*body) Close() error { return nil }

// rewound returns the request with its body to be read from the beginning, where that is in memory. Whoever is asked about
// a request gets one of its own, for a stream's is asked about again.
func rewound(r *http.Request) *http.Request {
	read, ok := r.Body.(*body)
	if !ok {
		return r
	}
	again := *r
	again.Body = newBody(read.all)

	return &again
}

func bodyError(err error, within time.Duration) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fmt.Errorf("read body: %w", err) // which has a status
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("the body did not come within %s", within)

		return &StatusError{Status: http.StatusRequestTimeout, Err: err}
	}

	return &StatusError{Status: http.StatusBadRequest, Err: fmt.Errorf("read body: %w", err)}
}
