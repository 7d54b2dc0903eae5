package app_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/ssestream/ssestreamtest"
)

// TestOneTraceFromPostToPages follows a request by its trace: into the outbox, through the projection, and into
// the write to an open page. It does so in process and over a Go channel.
func TestOneTraceFromPostToPages(t *testing.T) {
	t.Parallel()
	for name, overGoChannel := range map[string]bool{"in process": false, "over a Go channel": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			recorder := tracetest.NewSpanRecorder()
			parts := embedded(t)
			parts.Spans = []sdktrace.SpanProcessor{recorder}
			if overGoChannel {
				channel := gochannel.NewGoChannel(gochannel.Config{Persistent: true, OutputChannelBuffer: 16}, watermill.NopLogger{})
				t.Cleanup(func() { require.NoError(t, channel.Close()) })
				parts.Broker = &feedmill.Broker{Publisher: channel, Work: channel, Live: channel}
			}
			s := run(t, newApp(t, parts))
			stream, err := ssestreamtest.Connect(t.Context(), s.client, "http://"+s.addr+"/api/streams?stream=feed:go")
			require.NoError(t, err)
			_, err = stream.Next(t.Context())
			require.NoError(t, err)

			created := s.post(t, `{"title":"A title","content":"#go","author":"Ada"}`,
				"traceparent", "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01")
			require.Equal(t, http.StatusCreated, created.status, created.body)
			event, err := stream.Next(t.Context())
			require.NoError(t, err)
			require.Contains(t, event.Data, `"A title"`)

			// Each span is the parent of the next.
			parent := "0123456789abcdef"
			for _, step := range []string{"feedmill command", "cqrsfeed apply", "ssestream load", "ssestream write"} {
				span := endedSpan(t, recorder, step, parent)
				require.Equal(t, "0123456789abcdef0123456789abcdef", span.SpanContext().TraceID().String())
				parent = span.SpanContext().SpanID().String()
			}
			require.NoError(t, stream.Close())
			s.stop()
			require.NoError(t, s.ended(t))
		})
	}
}

// endedSpan waits for a span of that name below the parent.
func endedSpan(t *testing.T, recorder *tracetest.SpanRecorder, name, parent string) sdktrace.ReadOnlySpan {
	t.Helper()
	var found sdktrace.ReadOnlySpan
	require.Eventually(t, func() bool {
		for _, span := range recorder.Ended() {
			if span.Name() == name && span.Parent().SpanID().String() == parent {
				found = span
			}
		}
		return found != nil
	}, patience, 5*time.Millisecond, "no span %s below %s", name, parent)
	return found
}

// TestReadsWaitForTheProjection writes, and reads the feeds at once, with the token in the header and in the query.
func TestReadsWaitForTheProjection(t *testing.T) {
	t.Parallel()
	s := run(t, newApp(t, embedded(t)))
	for range 20 {
		created := s.post(t, `{"title":"A title","content":"#go","author":"Ada"}`)
		require.Equal(t, http.StatusCreated, created.status, created.body)
		id := created.header.Get("Location")[len("/api/posts/"):]
		token := created.header.Get("Feedmill-Token")
		for _, read := range []answer{
			s.get(t, "/api/feeds/go?feedmill_token="+token),
			s.get(t, "/api/feeds/go", "Feedmill-Token", token),
			s.get(t, "/api/streams?stream=feed:go&feedmill_token="+token),
		} {
			require.Equal(t, http.StatusOK, read.status)
			require.Contains(t, read.body, id)
			require.Empty(t, read.header.Get("Feedmill-Pending"))
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		stream, err := ssestreamtest.Connect(ctx, s.client, "http://"+s.addr+"/api/streams?stream=feed:go&feedmill_token="+token)
		require.NoError(t, err)
		event, err := stream.Next(ctx)
		require.NoError(t, err)
		require.Contains(t, event.Data, id, "its first state has it")
		require.NoError(t, stream.Close())
		cancel()
	}
	s.stop()
	require.NoError(t, s.ended(t))
}
