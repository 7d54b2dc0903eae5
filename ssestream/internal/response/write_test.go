package response_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/feedmill/feedmill/ssestream/internal/observe"
	"github.com/feedmill/feedmill/ssestream/internal/response"
)

// late is a response that takes each write only after its deadline. As on HTTP/2, the deadline ends the request.
type late struct {
	*httptest.ResponseRecorder

	cancel   context.CancelFunc
	mu       sync.Mutex
	deadline time.Time
	failed   error
}

func (l *late) SetWriteDeadline(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deadline = t

	return nil
}

func (l *late) FlushError() error { return nil }

func (l *late) Write(p []byte) (int, error) {
	if l.failed != nil {
		return 0, l.failed
	}
	l.mu.Lock()
	wait := time.Until(l.deadline)
	l.mu.Unlock()
	<-time.After(wait)
	l.cancel()
	l.failed = http.ErrHandlerTimeout

	return len(p), nil
}

// frames is a source of one frame.
type frames [][]byte

func (f *frames) Next(*[]byte) ([]byte, bool) {
	if len(*f) == 0 {
		return nil, true
	}
	frame := (*f)[0]
	*f = (*f)[1:]

	return frame, true
}

func (*frames) Written() {}

func (*frames) Heartbeat() []byte { return []byte(":\n\n") }

func (*frames) Other(p []byte) []byte { return p }

// TestADeadlineThatEndsTheRequest ends between two strides, so that it is the next one that fails.
func TestADeadlineThatEndsTheRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		counters := &observe.Counters{}
		response.Serve(ctx, &late{ResponseRecorder: httptest.NewRecorder(), cancel: cancel}, response.Terms{
			Closed:   t.Context().Done(),
			WriteBy:  func() time.Time { return time.Now().Add(time.Second) },
			Preface:  func() []byte { return nil },
			Counters: counters,
		}, nil, &frames{make([]byte, 3*response.Stride)}, nil)
		assert.EqualValues(t, 1, counters.Dropped.Load())
	})
}
