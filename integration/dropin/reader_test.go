package dropin_test

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

const patience = 20 * time.Second

// visitor uses an app and writes down what it sees.
type visitor struct {
	t      *testing.T
	url    string
	client *http.Client
	seen   []string
}

func newVisitor(t *testing.T, url string) *visitor {
	t.Helper()
	v := &visitor{t: t, url: url, client: &http.Client{Transport: &http.Transport{}}}
	t.Cleanup(v.client.CloseIdleConnections)
	return v
}

func (v *visitor) note(format string, args ...any) {
	v.seen = append(v.seen, fmt.Sprintf(format, args...))
}

// call sends a request and notes the answer.
func (v *visitor) call(method, path, accept, body string) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, v.url+path, strings.NewReader(body))
	require.NoError(v.t, err)
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	response, err := v.client.Do(r)
	require.NoError(v.t, err)
	answer, err := io.ReadAll(response.Body)
	require.NoError(v.t, err)
	require.NoError(v.t, response.Body.Close())
	v.note("%s %s [%s]: %d, %s, location %q: %s", method, path, accept,
		response.StatusCode, response.Header.Get("Content-Type"), response.Header.Get("Location"), strings.TrimSpace(string(answer)))
}

// reader follows one path.
type reader struct {
	*visitor
	path   string
	stream *ssestreamtest.Stream
}

// follow opens a stream and notes what it begins with.
func (v *visitor) follow(path string) *reader {
	v.t.Helper()
	stream, err := ssestreamtest.Connect(v.t.Context(), v.client, v.url+path)
	require.NoError(v.t, err)
	v.t.Cleanup(func() { _ = stream.Close() })
	header := stream.Header()
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	require.NoError(v.t, err)
	require.Contains(v.t, header.Get("Cache-Control"), "no-cache") // ours says more
	v.note("follow %s: %s, buffering %s", path, kind, header.Get("X-Accel-Buffering"))
	r := &reader{visitor: v, path: path, stream: stream}
	r.next(1)
	return r
}

// next notes the stream's next events, which have to come.
func (r *reader) next(events int) {
	r.t.Helper()
	for range events {
		ctx, cancel := context.WithTimeout(r.t.Context(), patience)
		event, err := r.stream.Next(ctx)
		cancel()
		require.NoError(r.t, err, "%s after:\n%s", r.path, strings.Join(r.seen, "\n"))
		r.note("%s: %s %q %s", r.path, event.Type, event.ID, event.Data)
	}
}

func (r *reader) leave() {
	r.t.Helper()
	require.NoError(r.t, r.stream.Close())
}

// ends notes that the stream has ended, with no event before.
func (r *reader) ends() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	event, err := r.stream.Next(ctx)
	require.Error(r.t, err, "%s: %+v", r.path, event)
	require.NotErrorIs(r.t, err, context.DeadlineExceeded, r.path)
	r.note("%s: the end", r.path)
}
