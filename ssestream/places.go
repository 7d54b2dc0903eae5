package ssestream

import (
	"net/http"
	"net/netip"
	"sync"
)

// places counts the streams that are open, in all and by what they have in common.
type places struct {
	mu     sync.Mutex
	most   int
	taken  int
	limits []*limit
}

// limit bounds the streams that have something in common, such as an address.
type limit struct {
	most  int
	of    func(v *visit) string // empty for what has no limit
	taken map[string]int
}

func newPlaces(config RouterConfig) *places {
	p := &places{most: config.MaxClients}
	p.limit(config.MaxClientsPerAddress, func(v *visit) string { return config.ClientAddress(v.request) })
	p.limit(config.MaxClientsPerPrincipal, func(v *visit) string { return v.principal })

	return p
}

func (p *places) limit(most int, of func(v *visit) string) {
	if most > 0 {
		p.limits = append(p.limits, &limit{most: most, of: of, taken: map[string]int{}})
	}
}

// take takes a place for the visit until release is called. It reports false where there is none left.
func (p *places) take(v *visit) (release func(), ok bool) {
	if p.most == 0 && len(p.limits) == 0 {
		return func() {}, true
	}
	names := make([]string, len(p.limits))
	for i, l := range p.limits {
		names[i] = l.of(v)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.most > 0 && p.taken >= p.most {
		return nil, false
	}
	for i, l := range p.limits {
		if names[i] != "" && l.taken[names[i]] >= l.most {
			return nil, false
		}
	}
	p.taken++
	for i, l := range p.limits {
		l.taken[names[i]]++
	}

	return func() { p.release(names) }, true
}

func (p *places) release(names []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	for i, l := range p.limits {
		if l.taken[names[i]]--; l.taken[names[i]] == 0 {
			delete(l.taken, names[i])
		}
	}
}

// RemoteAddress returns the address of the connection's peer, without its port: the client's, or that of the last
// proxy. It is the default of RouterConfig.ClientAddress. IPv6 addresses are cut to their /64, of which one host
// can have as many as it likes. An IPv4 address written as IPv6 is the IPv4 address. A peer without an IP address, as
// on a Unix socket, is r.RemoteAddr.
func RemoteAddress(r *http.Request) string {
	addr, err := netip.ParseAddr(r.RemoteAddr)
	if withPort, portErr := netip.ParseAddrPort(r.RemoteAddr); portErr == nil {
		addr, err = withPort.Addr(), nil
	}
	if err != nil {
		return r.RemoteAddr
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return addr.String()
	}

	return netip.PrefixFrom(addr, 64).Masked().String()
}
