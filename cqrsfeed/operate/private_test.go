package operate_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed/operate"
)

// TestNamesOfOtherSitesDoNotReachAPrivatePort, although they resolve to its address (DNS rebinding).
func TestNamesOfOtherSitesDoNotReachAPrivatePort(t *testing.T) {
	t.Parallel()
	page, err := operate.NewHandler(operate.HandlerConfig{})
	require.NoError(t, err)
	private := operate.ByAddress(page)
	for host, status := range map[string]int{
		"127.0.0.1:8081": http.StatusOK, "[::1]:8081": http.StatusOK, "192.0.2.7": http.StatusOK,
		"localhost": http.StatusOK, "localhost:8081": http.StatusOK,
		"evil.example:8081": http.StatusForbidden, "localhost.evil.example": http.StatusForbidden,
		"127.0.0.1.evil.example": http.StatusForbidden, "": http.StatusForbidden,
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			request := httptest.NewRequestWithContext(t.Context(), method, "/", http.NoBody)
			request.Host = host
			request.Header.Set("Sec-Fetch-Site", "same-origin")
			response := httptest.NewRecorder()
			private.ServeHTTP(response, request)
			want := status
			if method == http.MethodPost && status == http.StatusOK {
				want = http.StatusBadRequest // there is no action
			}
			require.Equal(t, want, response.Code, "%s %q", method, host)
		}
	}
}
