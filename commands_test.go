package feedmill_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/cqrsfeed"
)

// TestCommandsAreBoundedAndTraced: a command has a deadline, and its span continues the trace of the request, which its event
// gets from the context.
func TestCommandsAreBoundedAndTraced(t *testing.T) {
	t.Parallel()
	const traceID = "0102030405060708090a0b0c0d0e0f10"
	n := newNotes(t)
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	tags := n.add(t, newApp(t, feedmill.Config{Outbox: n.store.Outbox(), TracerProvider: provider}))
	mux := http.NewServeMux()
	mux.HandleFunc("POST /notes", tags.Command(http.StatusCreated, func(_ http.ResponseWriter, r *http.Request) (cqrsfeed.Item[note], error) {
		deadline, bounded := r.Context().Deadline()
		assert.True(t, bounded)
		assert.InDelta(t, 10, time.Until(deadline).Seconds(), 5)
		assert.Equal(t, traceID, trace.SpanContextFromContext(r.Context()).TraceID().String())
		return n.repo.Create(r.Context(), "n1", note{Tag: "go"})
	}))
	for _, status := range []int{http.StatusCreated, http.StatusConflict} {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/notes", http.NoBody)
		request.Header.Set("Traceparent", "00-"+traceID+"-0102030405060708-01")
		response := httptest.NewRecorder()
		mux.ServeHTTP(response, request)
		require.Equal(t, status, response.Code)
		require.Equal(t, status == http.StatusCreated, response.Header().Get(cqrsfeed.TokenHeader) != "")
	}
	for _, span := range spans.Ended() {
		require.Equal(t, "feedmill command", span.Name())
	}
	require.Len(t, spans.Ended(), 2)
}

// TestABodyThatDoesNotComeEndsACommand also where the server has no ReadTimeout.
func TestABodyThatDoesNotComeEndsACommand(t *testing.T) {
	t.Parallel()
	n := newNotes(t)
	tags := n.add(t, newApp(t, feedmill.Config{Outbox: n.store.Outbox()}))
	set := make(chan time.Time, 1)
	tags.Command(http.StatusCreated, func(http.ResponseWriter, *http.Request) (none cqrsfeed.Item[note], err error) {
		return none, context.DeadlineExceeded
	})(deadlines{httptest.NewRecorder(), set}, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/notes", http.NoBody))
	require.WithinRange(t, <-set, time.Now(), time.Now().Add(10*time.Second))
}

// deadlines is a writer that tells of its read deadline.
type deadlines struct {
	http.ResponseWriter

	set chan time.Time
}

func (d deadlines) SetReadDeadline(at time.Time) error {
	d.set <- at
	return nil
}
