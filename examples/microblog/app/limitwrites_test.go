package app_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/examples/microblog/app"
)

// TestWritesAreLimited by address, and reads are not.
func TestWritesAreLimited(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		header       string
		first, other *http.Request
		limited      bool
	}{
		"one address":                   {"", sentBy("192.0.2.1:1", ""), sentBy("192.0.2.1:2", ""), true},
		"another address":               {"", sentBy("192.0.2.1:1", ""), sentBy("192.0.2.2:1", ""), false},
		"one network of IPv6":           {"", sentBy("[2001:db8::1]:1", ""), sentBy("[2001:db8::2]:1", ""), true},
		"another network of IPv6":       {"", sentBy("[2001:db8::1]:1", ""), sentBy("[2001:db8:0:1::1]:1", ""), false},
		"IPv4 in IPv6":                  {"", sentBy("192.0.2.1:1", ""), sentBy("[::ffff:192.0.2.1]:1", ""), true},
		"without a proxy":               {"", sentBy("192.0.2.1:1", "198.51.100.1"), sentBy("192.0.2.1:1", "198.51.100.2"), true},
		"behind a proxy":                {"X-Forwarded-For", sentBy("192.0.2.1:1", "198.51.100.1"), sentBy("192.0.2.1:1", "198.51.100.2"), false},
		"behind a proxy, with a forged": {"X-Forwarded-For", sentBy("192.0.2.1:1", "203.0.113.1, 198.51.100.1"), sentBy("192.0.2.1:1", "203.0.113.2,198.51.100.1"), true},
		"past the proxy":                {"X-Forwarded-For", sentBy("192.0.2.1:1", ""), sentBy("192.0.2.1:1", ""), true},
		"unreadable":                    {"X-Forwarded-For", sentBy("192.0.2.1:1", "unknown"), sentBy("192.0.2.1:1", "_hidden"), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parts := embedded(t)
			parts.Limits = app.Limits{Writes: 0.000_1, ClientHeader: test.header} // a burst of one, and no more while the test lasts
			handler := newApp(t, parts).Handler()
			require.Equal(t, http.StatusCreated, do(handler, test.first).Code)
			other := do(handler, test.other)
			if !test.limited {
				require.Equal(t, http.StatusCreated, other.Code, other.Body)
				return
			}
			require.Equal(t, http.StatusTooManyRequests, other.Code)
			require.Equal(t, "1", other.Header().Get("Retry-After"))
			require.Contains(t, other.Body.String(), "too many commands")
			read := sentBy(test.other.RemoteAddr, "")
			read.Method, read.URL.Path = http.MethodGet, "/api/feeds"
			require.Equal(t, http.StatusOK, do(handler, read).Code)
		})
	}
}

// sentBy returns a command of a client.
func sentBy(address, forwarded string) *http.Request {
	request := httptest.NewRequest(http.MethodPost, "/api/generate/post", http.NoBody)
	request.RemoteAddr = address
	if forwarded != "" {
		request.Header.Set("X-Forwarded-For", forwarded)
	}
	return request
}

func do(handler http.Handler, request *http.Request) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder
}

// TestLargeHeadersAreRefused by the server that Run starts.
func TestLargeHeadersAreRefused(t *testing.T) {
	t.Parallel()
	s := run(t, newApp(t, embedded(t)))
	require.Equal(t, http.StatusOK, s.get(t, "/api/feeds", "X-Large", strings.Repeat("x", 32<<10)).status)
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, s.get(t, "/api/feeds", "X-Large", strings.Repeat("x", 80<<10)).status)
	s.stop()
	require.NoError(t, s.ended(t))
}
