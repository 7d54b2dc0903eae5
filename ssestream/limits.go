package ssestream

import (
	"net/http"
	"sync"
)

// places counts the streams that are open, in all and by address, and says when there is room for no more.
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

// take takes a place for the request. It says no where there is none left; otherwise release has to be called.
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
