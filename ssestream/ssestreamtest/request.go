package ssestreamtest

import (
	"context"
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

// WithLastEventID connects as a client that has seen the event with that ID. An empty one changes nothing. An
// [EventSource] sends it until a stream gives it another.
func WithLastEventID(id string) Option {
	return func(s *settings) {
		if id != "" {
			s.lastEventID = id
		}
	}
}

// WithHeader sets a header field of the request, with an [EventSource] of every one.
func WithHeader(name, value string) Option {
	return func(s *settings) { s.header.Set(name, value) }
}

// WithMaxWait has an [EventSource] reconnect after at most d, 0 for at once, however long the reconnection time
// is: a test need not wait as long as a browser would. What the server has asked for is still in
// [EventSource.Retry]. It has no effect on [Connect].
func WithMaxWait(d time.Duration) Option {
	return func(s *settings) { s.maxWait = d }
}

// ResponseError says that the answer was no event stream. An EventSource gives up for good.
type ResponseError struct {
	// StatusCode, Header and Body are the answer's. Body is what came within a second, and at most 64 KiB.
	StatusCode int
	Header     http.Header
	Body       string
}

// Error says what was answered.
func (e *ResponseError) Error() string {
	return fmt.Sprintf("not an event stream: status %d, content type %q: %s",
		e.StatusCode, e.Header.Get("Content-Type"), e.Body)
}

func (s *settings) request(ctx context.Context, url, lastEventID string) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	r.Header = s.header.Clone()
	if lastEventID != "" {
		r.Header.Set("Last-Event-ID", lastEventID)
	}

	return r, nil
}

// do answers a response that is an event stream. An answer that is none is a [*ResponseError], and no answer any
// other error.
func do(client *http.Client, r *http.Request) (*http.Response, error) {
	if client == nil {
		client = http.DefaultClient
	}
	response, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	mediaType, _, _ := strings.Cut(response.Header.Get("Content-Type"), ";")
	if response.StatusCode == http.StatusOK && strings.EqualFold(strings.TrimSpace(mediaType), "text/event-stream") {
		return response, nil
	}

	return nil, refusal(response)
}

func refusal(response *http.Response) *ResponseError {
	// The body may be a stream that only lacks its content type, and never end.
	enough := time.AfterFunc(time.Second, func() { _ = response.Body.Close() })
	body, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if enough.Stop() {
		_ = response.Body.Close()
	}

	return &ResponseError{StatusCode: response.StatusCode, Header: response.Header, Body: string(body)}
}
