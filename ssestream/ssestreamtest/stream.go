package ssestreamtest

import (
	"context"
	"fmt"
	"net/http"
)

// Stream is an open connection to an event stream. Its Next returns io.EOF when the server has ended the stream. Its methods
// are safe for concurrent use.
type Stream struct {
	*client

	response *http.Response
}

// Connect requests an event stream from url, and returns when the response's header has come. A nil client means
// http.DefaultClient. If the response is not an event stream, the error is a [*ResponseError]. The stream lasts until
// the server ends it, ctx ends, or Close is called. The caller must call Close in any case.
//
// Events are read only as fast as Next is called. A test that does not call it is a stalled client as soon as the
// buffers on the way are full.
func Connect(ctx context.Context, client *http.Client, url string, options ...Option) (*Stream, error) {
	c, ctx := newClient(ctx)
	settings := newSettings(options)
	response, err := settings.connect(ctx, client, url, settings.lastEventID) //nolint:bodyclose // Stream.Close closes it
	if err != nil {
		c.cancel(err)

		return nil, fmt.Errorf("connect to %s: %w", url, err)
	}
	c.begin(response)
	go func() {
		defer close(c.done)
		c.end(c.read(ctx))
	}()

	return &Stream{client: c, response: response}, nil
}

// Header returns the header of the response.
func (s *Stream) Header() http.Header { return s.response.Header }

// Close ends the connection and waits for its goroutine. It may be called more than once.
func (s *Stream) Close() error {
	err := s.response.Body.Close() // While the context lives, it waits until an HTTP/2 connection is free of the stream.
	_ = s.client.Close()           // It has no error.
	if err != nil {
		return fmt.Errorf("close stream: %w", err)
	}

	return nil
}
