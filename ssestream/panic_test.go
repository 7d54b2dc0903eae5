package ssestream_test

import (
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/ssestream"
)

// bugError is a panic of an application that its middleware knows.
type bugError struct{ code int }

func (bugError) Error() string { return "a bug" }

// TestPanicsReachMiddleware with their value, on streams and plain requests, and the log with the stack.
func TestPanicsReachMiddleware(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]any{
		"an abort": http.ErrAbortHandler, "an error": bugError{7}, "a string": "boom", "a pointer": &bugError{8},
		"of the runtime": nil, // a division by zero
	} {
		for _, accept := range []string{"text/event-stream", "application/json"} {
			t.Run(name+", "+accept, func(t *testing.T) {
				t.Parallel()
				logger := watermill.NewCaptureLogger()
				config := ssestream.RouterConfig{UpstreamSubscriber: newSource(), MaxClients: 1}
				router, err := ssestream.NewRouter(config, logger)
				require.NoError(t, err)
				builder := newBoard().builder()
				zero := 0
				builder.Authorize = func(*http.Request, string) error {
					if value == nil {
						_ = 1 / zero
					}
					panic(value)
				}
				adapter, err := builder.Build()
				require.NoError(t, err)
				handler := router.AddHandler(topic, adapter)
				raised := make(chan any, 1)
				site := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					defer func() {
						raised <- recover()
						w.WriteHeader(http.StatusTeapot)
					}()
					handler(w, r)
				}))
				run(t, router)
				for range 2 {
					assert.Equal(t, http.StatusTeapot, site.do(t, http.MethodGet, "key=a", "Accept", accept).status)
					if got := <-raised; value != nil {
						assert.Equal(t, value, got)
					} else {
						assert.Implements(t, (*runtime.Error)(nil), got)
					}
				}
				if accept == "application/json" || name == "an abort" {
					assert.Empty(t, logger.Captured()[watermill.ErrorLogLevel])

					return
				}
				logged := logger.Captured()[watermill.ErrorLogLevel]
				require.Len(t, logged, 2)
				assert.Contains(t, logged[0].Fields["stack"], "panic_test.go", "who recovers has only the stack of where it is raised again")
			})
		}
	}
}

// TestFlushAfterTheStream by middleware that flushes whatever it has passed on, as some that log or compress do.
func TestFlushAfterTheStream(t *testing.T) {
	t.Parallel()
	var panicked atomic.Value
	flushed := make(chan struct{}, 100)
	onEachServer(t, settings{around: func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() { flushed <- struct{}{} }()
			defer func() {
				if p := recover(); p != nil {
					panicked.Store(p)
				}
			}()
			h.ServeHTTP(w, r)
			for range 2 {
				_ = http.NewResponseController(w).Flush()
				_, _ = w.Write([]byte("more"))
			}
		})
	}}, func(t *testing.T, w world) {
		t.Helper()
		stream := w.connect(t, "key=a")
		nextScore(t, stream)
		require.NoError(t, stream.Close())
		<-flushed
		assert.Nil(t, panicked.Load())
	})
}
