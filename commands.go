package feedmill

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/internal/header"
)

// commandTimeout bounds a command, also with a client that sends its body slowly or a database that hangs.
const commandTimeout = 10 * time.Second

// scope is the instrumentation scope of this package.
const scope = "github.com/feedmill/feedmill"

// Command returns a handler that calls do and writes what it returns, as Reply does with status. A command has ten seconds, of
// which the client can use as many to send its body. It is a span of the trace in the request's context, or else of that in its
// header traceparent, and everything that the command causes is in the same trace, to the write to each open page.
//
//	http.HandleFunc("POST /notes", tags.Command(http.StatusCreated, func(w http.ResponseWriter, r *http.Request) (cqrsfeed.Item[Note], error) {
//		note, err := feedmill.ReadJSON[Note](w, r, maxBody)
//		if err != nil {
//			return cqrsfeed.Item[Note]{}, err
//		}
//		return notes.Create(r.Context(), uuid.NewString(), note)
//	}))
func (f *Feeds[T]) Command(
	status int, do func(w http.ResponseWriter, r *http.Request) (cqrsfeed.Item[T], error),
) http.HandlerFunc {
	tracer := f.app.config.TracerProvider.Tracer(scope)
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), commandTimeout)
		defer cancel()
		// Without a body the deadline would end net/http's read for the next request, and with it all requests of the connection. A
		// writer without deadlines has no connection that could be held up.
		if r.Body != nil && r.Body != http.NoBody {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(commandTimeout))
		}
		if !trace.SpanContextFromContext(ctx).IsValid() { // else a middleware has a span of the request
			ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))
		}
		ctx, span := tracer.Start(ctx, "feedmill command", trace.WithSpanKind(trace.SpanKindServer),
			trace.WithAttributes(attribute.String("http.request.method", r.Method), attribute.String("http.route", r.Pattern)))
		defer span.End()
		r = r.WithContext(ctx)
		item, err := do(w, r)
		f.Reply(w, r, status, item, err)
	}
}

// Reply writes the response to a command that returned item and err. If err is nil, it has the status, the item's entity tag,
// the token by which reads wait for the write, and, except for status 204, FeedsConfig.View of the item as JSON. Otherwise
// Reply calls WriteError.
func (f *Feeds[T]) Reply(w http.ResponseWriter, r *http.Request, status int, item cqrsfeed.Item[T], err error) {
	var body []byte
	if err == nil && status != http.StatusNoContent {
		if body, err = json.Marshal(f.config.View(item)); err != nil {
			err = fmt.Errorf("encode item %q: %w", item.ID, err)
		}
	}
	if err != nil {
		f.app.WriteError(w, r, err)
		return
	}
	h := w.Header()
	h.Set(cqrsfeed.TokenHeader, item.Token(f.config.Items.Name()).String())
	h.Set("ETag", item.ETag())
	header.Include(h, "Cache-Control", "no-store")
	if body != nil {
		h.Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone needs no answer
}
