package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestAFollowerFindsWhatIsWrong sends states that a stream must not have.
func TestAFollowerFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	const first = `{"revision":2,"posts":[{"id":"a"}]}`
	for name, test := range map[string]struct {
		then, get, says string
	}{
		"nothing":       {`{"revision":3,"posts":[{"id":"b"},{"id":"a"}]}`, `{"revision":3,"posts":[{"id":"b"},{"id":"a"}]}`, ""},
		"it goes back":  {`{"revision":1,"posts":[{"id":"b"}]}`, `{"revision":1,"posts":[{"id":"b"}]}`, "went back from revision 2 to 1"},
		"it is no JSON": {`nonsense b`, `nonsense b`, "has sent nonsense b"},
		"it lags":       {`{"revision":3,"posts":[{"id":"b"}]}`, `{"revision":4,"posts":[{"id":"b"}]}`, "ends on another state than GET"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Accept") != "text/event-stream" {
					fmt.Fprint(w, test.get)
					return
				}
				w.Header().Set("Content-Type", "text/event-stream")
				fmt.Fprintf(w, "event: data\ndata: %s\n\nevent: data\ndata: %s\n\n", first, test.then)
				_ = http.NewResponseController(w).Flush() // a client that is gone needs nothing
				<-r.Context().Done()
			}))
			t.Cleanup(server.Close)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			c := newClient(server.URL)
			t.Cleanup(c.http.CloseIdleConnections)
			f := c.follow(ctx, "/")
			var following sync.WaitGroup
			following.Go(func() { f.run(ctx) })
			defer following.Wait()
			defer cancel()

			_ = f.await(ctx, "b") // it returns what is wrong, which agrees does too
			err := f.agrees(ctx)
			if test.says != "" {
				require.ErrorContains(t, err, test.says)
				return
			}
			require.NoError(t, err)
			require.Equal(t, []string{"c"}, f.lacks([]string{"a", "b", "c"}))
		})
	}
}
