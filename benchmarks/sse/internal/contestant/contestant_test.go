//go:build linux

package contestant_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/benchmarks/sse/internal/contestant"
)

// TestCompressedContestants decodes what the clients of the benchmark only count.
func TestCompressedContestants(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		contestant.FeedmillGzip, contestant.FeedmillZstd, contestant.DatastarGzip, contestant.DatastarZstd,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kind, err := contestant.KindOf(name)
			require.NoError(t, err)
			feed, err := contestant.NewFeed(20_000, contestant.NewPost)
			require.NoError(t, err)
			c, err := contestant.New(t.Context(), name, feed, contestant.Options{})
			require.NoError(t, err)
			site := httptest.NewServer(c)
			t.Cleanup(site.Close)
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, site.URL+kind.Path, http.NoBody)
			require.NoError(t, err)
			request.Header.Set("Accept", "text/event-stream")
			request.Header.Set("Accept-Encoding", kind.Encoding)
			response, err := http.DefaultTransport.RoundTrip(request)
			require.NoError(t, err)
			t.Cleanup(func() { _ = response.Body.Close() })
			require.Equal(t, kind.Encoding, response.Header.Get("Content-Encoding"))

			events := bufio.NewReader(decoded(t, response))
			for n := int64(contestant.First); n < contestant.First+5; n++ {
				want, err := feed.Load(t.Context(), "")
				require.NoError(t, err)
				require.Equal(t, want.N, n)
				require.Equal(t, want, next(t, events))
				feed.Next()
				require.NoError(t, c.Announce())
			}
		})
	}
}

func decoded(t *testing.T, response *http.Response) io.Reader {
	t.Helper()
	if response.Header.Get("Content-Encoding") == "gzip" {
		r, err := gzip.NewReader(response.Body)
		require.NoError(t, err)

		return r
	}
	r, err := zstd.NewReader(response.Body, zstd.WithDecoderConcurrency(1))
	require.NoError(t, err)
	t.Cleanup(r.Close)

	return r
}

// next returns the state of the next event.
func next(t *testing.T, events *bufio.Reader) (state contestant.State) {
	t.Helper()
	for {
		line, err := events.ReadString('\n')
		require.NoError(t, err)
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			require.NoError(t, json.Unmarshal([]byte(data), &state))

			return state
		}
	}
}

// TestStatesOfAFeedHaveOneSize tests that figures of a size are of that size, whatever has changed.
func TestStatesOfAFeedHaveOneSize(t *testing.T) {
	t.Parallel()
	for _, change := range []contestant.Change{contestant.NewPost, contestant.NewCount} {
		for _, size := range []int{200, 4_096, 30_000} {
			feed, err := contestant.NewFeed(size, change)
			require.NoError(t, err)
			for range 1_000 {
				state, err := feed.Load(t.Context(), "")
				require.NoError(t, err)
				encoded, err := json.Marshal(state)
				require.NoError(t, err)
				require.Len(t, encoded, size)
				feed.Next()
			}
		}
	}
}
