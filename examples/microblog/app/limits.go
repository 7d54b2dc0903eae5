package app

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/go-chi/httprate"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/ssestream"
)

// Limits bound what one client can do. A client is an IPv4 address or the first half of an IPv6 address.
type Limits struct {
	// Writes is how many commands a second a client may send, with bursts of twice as many. Zero is no limit.
	Writes float64
	// ClientHeader is the header in which the proxy before the microblog names the client, such as X-Forwarded-For. Its last
	// address counts, which is the one that the proxy has added. Empty where there is no proxy: anyone could write it.
	ClientHeader string
}

// limitWrites refuses commands beyond the limits with status 429.
func limitWrites(limits Limits, app *feedmill.App, next http.Handler) http.Handler {
	if limits.Writes == 0 {
		return next
	}
	burst := int(2*limits.Writes) + 1
	seconds := min(float64(burst)/limits.Writes, 1e6)
	refuse := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "1")
		app.WriteError(w, r, &ssestream.StatusError{
			Status: http.StatusTooManyRequests, Err: errors.New("too many commands from this address: wait a second"),
		})
	}
	limited := httprate.LimitBy(burst, time.Duration(seconds*float64(time.Second)), limits.client,
		httprate.WithResponseHeaders(httprate.ResponseHeaders{}), httprate.WithLimitHandler(refuse))(next)
	return ssestream.Before(func(_ http.ResponseWriter, r *http.Request) http.Handler {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			return next
		}
		return limited
	})
}

// client returns who sent a request. All that cannot be told apart are one client.
func (l Limits) client(r *http.Request) (string, error) {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	if l.ClientHeader != "" {
		named := strings.Split(strings.Join(r.Header.Values(l.ClientHeader), ","), ",")
		if last := strings.TrimSpace(named[len(named)-1]); last != "" {
			host = last
		}
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return "", nil //nolint:nilerr // "" is their key
	}
	return httprate.CanonicalizeIP(address.WithZone("").String()), nil
}
