package ssestream

import (
	"net/http"
	"net/netip"
	"strings"
)

// RemoteAddress answers the address of the peer that the connection comes from, without its port: the client's, or
// that of the proxy before the server. It is the default of RouterConfig.ClientAddress. Addresses of IPv6 are cut
// to their /64, which is what one host has.
func RemoteAddress(r *http.Request) string {
	if addr, ok := remoteAddr(r); ok {
		return network(addr)
	}

	return r.RemoteAddr
}

// TrustedProxies answers a RouterConfig.ClientAddress for a server behind proxies: the address of the client as the
// last proxy outside of those networks' trust has it. It goes through X-Forwarded-For from the right, where each
// proxy appends whom it heard, for as long as the address before is in one of the networks; what a client wrote
// into the field itself is to the left of that, and is not believed. Without a network it is [RemoteAddress].
//
// An address that cannot be parsed ends the way, and the last one that could counts.
func TrustedProxies(networks ...netip.Prefix) func(r *http.Request) string {
	trusted := func(addr netip.Addr) bool {
		for _, network := range networks {
			if network.Contains(addr) {
				return true
			}
		}

		return false
	}

	return func(r *http.Request) string {
		addr, ok := remoteAddr(r)
		if !ok {
			return r.RemoteAddr
		}
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		for i := len(hops) - 1; i >= 0 && trusted(addr); i-- {
			before, ok := parseAddr(strings.TrimSpace(hops[i]))
			if !ok {
				break
			}
			addr = before
		}

		return network(addr)
	}
}

func remoteAddr(r *http.Request) (netip.Addr, bool) { return parseAddr(r.RemoteAddr) }

// parseAddr reads an address with or without a port; some proxies write one.
func parseAddr(s string) (netip.Addr, bool) {
	if withPort, err := netip.ParseAddrPort(s); err == nil {
		return withPort.Addr().Unmap().WithZone(""), true
	}
	addr, err := netip.ParseAddr(strings.Trim(s, "[]"))

	return addr.Unmap().WithZone(""), err == nil
}

func network(addr netip.Addr) string {
	if addr.Is4() {
		return addr.String()
	}
	prefix, err := addr.Prefix(64)
	if err != nil {
		return addr.String()
	}

	return prefix.String()
}
