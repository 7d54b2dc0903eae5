package app

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"

	"golang.org/x/time/rate"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/ssestream"
)

// Limits bound what one client can do.
type Limits struct {
	// Writes is how many commands a second a client may send, with bursts of twice as many. A client is an IPv4 address or the
	// first half of an IPv6 address. Zero is no limit.
	Writes float64
	// ClientHeader is the header in which the proxy before the microblog names the client, such as X-Forwarded-For. Its last
	// address counts, which is the one that the proxy has added. Empty where there is no proxy: anyone could write it.
	ClientHeader string
}

// writers are the clients that wrote lately.
type writers struct {
	limits Limits

	mu      sync.Mutex
	clients map[netip.Prefix]*rate.Limiter
	prune   int // at how many clients those are forgotten that could send a full burst
}

// limitWrites refuses commands beyond the limits with status 429.
func limitWrites(limits Limits, app *feedmill.App, next http.Handler) http.Handler {
	if limits.Writes == 0 {
		return next
	}
	w := &writers{limits: limits, clients: map[netip.Prefix]*rate.Limiter{}}
	return http.HandlerFunc(func(response http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead || w.limiter(limits.client(r)).Allow() {
			next.ServeHTTP(response, r)
			return
		}
		response.Header().Set("Retry-After", "1")
		app.WriteError(response, r, &ssestream.StatusError{
			Status: http.StatusTooManyRequests, Err: errors.New("too many commands from this address: wait a second"),
		})
	})
}

// limiter returns the limiter of a client.
func (w *writers) limiter(client netip.Prefix) *rate.Limiter {
	w.mu.Lock()
	defer w.mu.Unlock()
	limiter, known := w.clients[client]
	if known {
		return limiter
	}
	burst := int(2*w.limits.Writes) + 1
	if len(w.clients) >= w.prune {
		for other, l := range w.clients {
			if l.Tokens() >= float64(burst) {
				delete(w.clients, other)
			}
		}
		w.prune = max(1000, 2*len(w.clients))
	}
	limiter = rate.NewLimiter(rate.Limit(w.limits.Writes), burst)
	w.clients[client] = limiter
	return limiter
}

// client returns who sent a request.
func (l Limits) client(r *http.Request) netip.Prefix {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	if l.ClientHeader != "" {
		named := strings.Split(strings.Join(r.Header.Values(l.ClientHeader), ","), ",")
		if last := strings.TrimSpace(named[len(named)-1]); last != "" {
			host = last
		}
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{} // all that cannot be told apart are one client
	}
	bits := 32
	if address = address.Unmap(); address.Is6() {
		bits = 64
	}
	client, _ := address.WithZone("").Prefix(bits) // the bits fit the address
	return client
}
