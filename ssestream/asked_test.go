package ssestream_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	watermillhttp "github.com/ThreeDotsLabs/watermill-http/v2/pkg/http"
	"github.com/stretchr/testify/assert"

	"github.com/feedmill/feedmill/internal/panics/panicstest"
	"github.com/feedmill/feedmill/ssestream"
)

// Errors that are nil pointers panic when they are asked what they are.
type (
	nilStatusError struct{ status int }
	nilIsError     struct{ as error }
)

func (e *nilStatusError) Error() string   { return http.StatusText(e.status) }
func (e *nilStatusError) HTTPStatus() int { return e.status }

func (e *nilIsError) Error() string        { return e.as.Error() }
func (*nilIsError) HTTPStatus() int        { return http.StatusServiceUnavailable }
func (e *nilIsError) Is(target error) bool { return e.as == target }

func nilErrors() []error {
	return []error{(*nilStatusError)(nil), panicstest.NilError(), (*nilIsError)(nil)}
}

// TestAnErrorThatPanicsWhenAsked by a load counts as a failure of the load: it is asked on goroutines that serve many clients.
func TestAnErrorThatPanicsWhenAsked(t *testing.T) {
	t.Parallel()
	for _, bad := range nilErrors() {
		t.Run(fmt.Sprintf("%T", bad), func(t *testing.T) {
			t.Parallel()
			config := ssestream.RouterConfig{Heartbeat: time.Second}
			inStreamsBubble(t, config, func(b bubble) {
				stream := b.connect("stream=score:a")
				take(b.T, stream, 1)
				b.board.before(failing(bad))
				b.source.announce(b, "a")
				assert.InDelta(b, 503, problemOf(b, stream)["status"], 0)
				_, problems := statesOf(b, b.do(b, http.MethodGet, "stream=score:a"))
				assert.Equal(b, map[string]int{"score:a": 500}, problems)
				b.board.before(nil)
				b.board.set("a", 1)
				assert.Equal(b, map[string]string{"score:a": `{"Key":"a","N":1}`}, take(b.T, stream, 1))
			})
		})
	}
}

// badMarshaler fails with an error that panics when it is asked what it is.
type badMarshaler struct {
	watermillhttp.JSONSSEMarshaler

	err error
}

func (m badMarshaler) Marshal(context.Context, any) (watermillhttp.ServerSentEvent, error) {
	return watermillhttp.ServerSentEvent{}, m.err
}

// TestAMarshalerWithSuchAnError: the state is stale.
func TestAMarshalerWithSuchAnError(t *testing.T) {
	t.Parallel()
	for _, bad := range nilErrors() {
		t.Run(fmt.Sprintf("%T", bad), func(t *testing.T) {
			t.Parallel()
			inStreamsBubble(t, ssestream.RouterConfig{Marshaler: badMarshaler{err: bad}}, func(b bubble) {
				assert.InDelta(b, 503, problemOf(b, b.connect("stream=score:a"))["status"], 0)
			})
		})
	}
}
