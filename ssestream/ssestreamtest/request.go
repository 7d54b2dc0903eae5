package ssestreamtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"time"
)

// Option changes how [Connect] and [Open] ask for a stream.
type Option func(*settings)

type settings struct {
	header      http.Header
	lastEventID string
	maxWait     time.Duration
}

func newSettings(options []Option) settings {
	s := settings{header: http.Header{}, maxWait: math.MaxInt64}
	s.header.Set("Accept", "text/event-stream")
	s.header.Set("Cache-Control", "no-store")
	for _, option := range options {
		option(&s)
	}

	return s
}

// WithLastEventID sends id as Last-Event-ID, as a client that has seen this event. An [EventSource] sends it until a
// stream sets another. An empty id changes nothing.
func WithLastEventID(id string) Option {
	return func(s *settings) {
		if id != "" {
			s.lastEventID = id
		}
	}
}

// WithHeader sets a header field of every request.
func WithHeader(name, value string) Option {
	return func(s *settings) { s.header.Set(name, value) }
}

// WithMaxWait makes an [EventSource] reconnect after at most d, even if the reconnection time is longer, so that a test
// need not wait as long as a browser. [EventSource.Retry] still returns what the server asked for. It has no effect on
// [Connect].
func WithMaxWait(d time.Duration) Option {
	return func(s *settings) { s.maxWait = d }
}

// ResponseError is returned when a response is not an event stream. It closes an EventSource.
type ResponseError struct {
	// StatusCode, Header and Body are those of the response. Body is what came within a second, at most 64 KiB.
	StatusCode int
	Header     http.Header
	Body       string
}

// Error returns a text with the status, the content type and the body.
func (e *ResponseError) Error() string {
	return fmt.Sprintf("not an event stream: status %d, content type %q: %s",
		e.StatusCode, e.Header.Get("Content-Type"), e.Body)
}

// connect returns a response that is an event stream. If the response is not one, the error is a [*ResponseError].
func (s *settings) connect(ctx context.Context, client *http.Client, url, lastEventID string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	r.Header = s.header.Clone()
	if lastEventID != "" {
		r.Header.Set("Last-Event-ID", lastEventID)
	}
	if client == nil {
		client = http.DefaultClient
	}
	response, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	mediaType, _, _ := strings.Cut(response.Header.Get("Content-Type"), ";")
	if response.StatusCode == http.StatusOK && strings.EqualFold(strings.TrimSpace(mediaType), "text/event-stream") {
		if response.Uncompressed {
			response.Body = untrailed{response.Body}
		}

		return response, nil
	}

	return nil, refusal(response)
}

// untrailed is the body of a stream that was compressed. Such a stream has no trailer: its end is that of its connection.
type untrailed struct{ io.ReadCloser }

func (u untrailed) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}

	return n, err
}

func refusal(response *http.Response) *ResponseError {
	// The body may be a stream that lacks its content type, and never end.
	timeout := time.AfterFunc(time.Second, func() { _ = response.Body.Close() })
	body, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if timeout.Stop() {
		_ = response.Body.Close()
	}

	return &ResponseError{StatusCode: response.StatusCode, Header: response.Header, Body: string(body)}
}
