package operate

import (
	"net"
	"net/http"
	"net/url"
)

// ByAddress returns a handler for a port that only operators reach, without any other authorization. It responds with status 403
// if the Host of a request is neither an IP address nor localhost. This prevents DNS rebinding: a site that an operator visits
// could make its own name resolve to the port, and the browser would treat its pages as of one origin with this handler.
//
//	server := &http.Server{Addr: "127.0.0.1:8081", Handler: operate.ByAddress(page)}
func ByAddress(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := (&url.URL{Host: r.Host}).Hostname()
		if name != "localhost" && net.ParseIP(name) == nil {
			http.Error(w, "use an IP address or localhost", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
