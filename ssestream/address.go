package ssestream

import (
	"net/http"
	"net/netip"
	"sync"
)

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

// places counts the streams that are open, in all and by address.
type places struct {
	most, mostPerAddress int
	addressOf            func(*http.Request) string

	mu        sync.Mutex
	taken     int
	byAddress map[string]int
}

func newPlaces(config RouterConfig) *places {
	return &places{
		most: config.MaxClients, mostPerAddress: config.MaxClientsPerAddress,
		addressOf: config.ClientAddress, byAddress: map[string]int{},
	}
}

// take takes a place for the request until release is called. It reports false where there is none left.
func (p *places) take(r *http.Request) (release func(), ok bool) {
	if p.most == 0 && p.mostPerAddress == 0 {
		return func() {}, true
	}
	var address string
	if p.mostPerAddress > 0 {
		address = p.addressOf(r)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.most > 0 && p.taken >= p.most {
		return nil, false
	}
	if p.mostPerAddress > 0 && p.byAddress[address] >= p.mostPerAddress {
		return nil, false
	}
	p.taken++
	p.byAddress[address]++

	return func() { p.release(address) }, true
}

func (p *places) release(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if p.byAddress[address]--; p.byAddress[address] == 0 {
		delete(p.byAddress, address)
	}
}
