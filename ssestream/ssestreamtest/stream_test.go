package ssestreamtest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

func TestStream(t *testing.T) {
	t.Parallel()

	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		fmt.Fprintf(w, "retry: 20\n: hello\nid: 2\ndata: after %s of %s\n\n",
			r.Header.Get("Last-Event-ID"), r.Header.Get("X-Name"))
	})
	stream, err := ssestreamtest.Connect(t.Context(), server.Client(), server.URL,
		ssestreamtest.WithLastEventID("1"), ssestreamtest.WithLastEventID(""), ssestreamtest.WithHeader("X-Name", "y"))
	require.NoError(t, err)
	event, err := stream.Next(t.Context())
	require.NoError(t, err)
	assert.Equal(t, ssestreamtest.Event{Type: "message", Data: "after 1 of y", ID: "2"}, event)
	_, err = stream.Next(t.Context())
	require.ErrorIs(t, err, io.EOF)
	assert.Equal(t, "2", stream.LastEventID())
	assert.Equal(t, 1, stream.Comments())
	assert.EqualValues(t, 20, stream.Retry().Milliseconds())
	assert.Equal(t, "text/event-stream; charset=utf-8", stream.Header().Get("Content-Type"))
	require.NoError(t, stream.Close())
	require.NoError(t, stream.Close())
}

// TestStreamLastEventIDFollowsNext tests that an event that Next has not returned does not change LastEventID.
func TestStreamLastEventIDFollowsNext(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		client := servePipes(t, respond("id: 1\ndata: x\n\nid: 2\ndata: x\n\nid: 3\n\n"))
		stream, err := ssestreamtest.Connect(t.Context(), client, "http://pipe/")
		require.NoError(t, err)
		for _, want := range []string{"", "1", "3"} {
			synctest.Wait()
			assert.Equal(t, want, stream.LastEventID())
			_, err = stream.Next(t.Context())
		}
		require.ErrorIs(t, err, io.EOF)
		assert.Equal(t, "3", stream.LastEventID())
		require.NoError(t, stream.Close())
	})
}

// TestStreamThatIsCutOff has the ID of what was read before.
func TestStreamThatIsCutOff(t *testing.T) {
	t.Parallel()

	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "id: 1\ndata: x\n\nid: 2\n\nid: 3\n")
		w.(http.Flusher).Flush() //nolint:forcetypeassert,errcheck // httptest's writers flush
		panic(http.ErrAbortHandler)
	})
	stream, err := ssestreamtest.Connect(t.Context(), server.Client(), server.URL)
	require.NoError(t, err)
	_, err = stream.Next(t.Context())
	require.NoError(t, err)
	_, err = stream.Next(t.Context())
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.Equal(t, "2", stream.LastEventID())
	require.NoError(t, stream.Close())
}

func TestStreamNextEndsWithItsContext(t *testing.T) {
	t.Parallel()

	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.(http.Flusher).Flush() //nolint:forcetypeassert,errcheck // httptest's writers flush
		<-r.Context().Done()
	})
	stream, err := ssestreamtest.Connect(t.Context(), server.Client(), server.URL)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = stream.Next(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, stream.Close())
}

func TestConnectRequiresAStream(t *testing.T) {
	t.Parallel()

	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no such feed", http.StatusNotFound)
	})
	_, err := ssestreamtest.Connect(t.Context(), server.Client(), server.URL)
	var refused *ssestreamtest.ResponseError
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, http.StatusNotFound, refused.StatusCode)
	assert.Equal(t, "no such feed\n", refused.Body)
}

func ExampleConnect() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "event: data\nid: v1\ndata: {\"posts\":1}\n\n")
	}))
	defer server.Close()

	stream, err := ssestreamtest.Connect(context.Background(), server.Client(), server.URL)
	if err != nil {
		panic(err)
	}
	defer stream.Close()
	event, err := stream.Next(context.Background())
	fmt.Println(event.Type, event.ID, event.Data, err)
	// Output: data v1 {"posts":1} <nil>
}
