package ssestream_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/feedmill/feedmill/ssestream"
)

// Middleware of an application that sets a header and refuses commands that come from pages of other sites.
func ExampleBefore() {
	sameOrigin := http.NewCrossOriginProtection()
	secure := func(next http.Handler) http.Handler {
		return ssestream.Before(func(w http.ResponseWriter, r *http.Request) http.Handler {
			w.Header().Set("X-Content-Type-Options", "nosniff")
			if err := sameOrigin.Check(r); err != nil {
				http.Error(w, err.Error(), http.StatusForbidden)

				return nil
			}

			return next
		})
	}
	handler := secure(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))

	for _, site := range []string{"same-origin", "cross-site"} {
		request := httptest.NewRequest(http.MethodPost, "/notes", http.NoBody)
		request.Header.Set("Sec-Fetch-Site", site)
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, request)
		fmt.Println(site, response.Code, response.Header().Get("X-Content-Type-Options"))
	}

	// Output:
	// same-origin 204 nosniff
	// cross-site 403 nosniff
}
