package ssestream

import (
	"fmt"
	"iter"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// RemoteAddress answers the address of the peer that the connection comes from, without its port: the client's, or
// that of the proxy before the server. It is the default of RouterConfig.ClientAddress. Addresses of IPv6 are cut
// to their /64, of which one host can have as many as it likes; one of IPv4 is the same written as IPv6. A peer without
// an IP address, as on a Unix socket, has what net/http calls it.
func RemoteAddress(r *http.Request) string {
	if addr, ok := remoteAddr(r); ok {
		return network(addr)
	}

	return r.RemoteAddr
}

// TrustedProxies answers a RouterConfig.ClientAddress for a server behind proxies whose addresses are in the networks:
// the address that the outermost of them was connected from, in the form of [RemoteAddress]. It goes through
// X-Forwarded-For from the right, where each proxy appends whom it heard, for as long as the address so far is in one
// of the networks. What a client wrote into the field itself is to the left of that, and is not believed; where the
// peer is no trusted proxy, nothing is.
//
// An entry that is no IP address, with or without a port, ends the way, and the address so far counts. A peer without
// an IP address is not trusted. Without networks it is RemoteAddress. It panics where a network is not valid, such as
// the zero Prefix.
func TrustedProxies(networks ...netip.Prefix) func(r *http.Request) string {
	for i, network := range networks {
		if !network.IsValid() {
			panic(fmt.Sprintf("ssestream: network %d of TrustedProxies is no prefix", i))
		}
	}
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
		for hop := range hops(r.Header) {
			before, ok := parseAddr(hop)
			if !ok || !trusted(addr) {
				break
			}
			addr = before
		}

		return network(addr)
	}
}

// hops answers the entries of X-Forwarded-For, which may have several lines, from the last to the first. It takes no
// more work than is asked for: the field is as long as a client likes.
func hops(header http.Header) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, line := range slices.Backward(header.Values("X-Forwarded-For")) {
			for more := true; more; {
				comma := strings.LastIndexByte(line, ',')
				if !yield(strings.TrimSpace(line[comma+1:])) {
					return
				}
				if more = comma >= 0; more {
					line = line[:comma]
				}
			}
		}
	}
}

func remoteAddr(r *http.Request) (netip.Addr, bool) { return parseAddr(r.RemoteAddr) }

// parseAddr reads an address with or without a port; some proxies write one.
func parseAddr(s string) (netip.Addr, bool) {
	if withPort, err := netip.ParseAddrPort(s); err == nil {
		return withPort.Addr().Unmap().WithZone(""), true
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if s, ok = strings.CutSuffix(inner, "]"); !ok {
			return netip.Addr{}, false
		}
	}
	addr, err := netip.ParseAddr(s)

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
