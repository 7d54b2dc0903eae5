package ssestream_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/feedmill/feedmill/ssestream"
)

func TestRemoteAddress(t *testing.T) {
	t.Parallel()
	for peer, want := range map[string]string{
		"192.0.2.1:1234":               "192.0.2.1",
		"192.0.2.1":                    "192.0.2.1",
		"[2001:db8:1:2:3:4:5:6]:1234":  "2001:db8:1:2::/64",
		"[2001:db8:1:2::9]:80":         "2001:db8:1:2::/64",
		"[2001:db8:1:3::9]:80":         "2001:db8:1:3::/64",
		"[::ffff:192.0.2.1]:1234":      "192.0.2.1",
		"[fe80::1%eth0]:1234":          "fe80::/64",
		"@":                            "@",
		"":                             "",
		"somewhere else":               "somewhere else",
		"[2001:db8:1:2:3:4:5:6:7]:123": "[2001:db8:1:2:3:4:5:6:7]:123",
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		r.RemoteAddr = peer
		r.Header.Set("X-Forwarded-For", "198.51.100.1")
		r.Header.Set("X-Real-Ip", "198.51.100.1")
		r.Header.Set("Forwarded", "for=198.51.100.1")
		assert.Equal(t, want, ssestream.RemoteAddress(r), peer)
		assert.Equal(t, want, ssestream.TrustedProxies()(r), "nobody is trusted: %s", peer)
	}
}

func TestTrustedProxies(t *testing.T) {
	t.Parallel()

	of := ssestream.TrustedProxies(
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:ffff::/48"), netip.MustParsePrefix("fe80::/10"),
	)
	for name, test := range map[string]struct {
		peer string
		xff  []string
		want string
	}{
		"a proxy":                       {"10.0.0.1:80", []string{"192.0.2.1"}, "192.0.2.1"},
		"two proxies":                   {"10.0.0.1:80", []string{"192.0.2.1, 10.0.0.2"}, "192.0.2.1"},
		"two proxies, a line each":      {"10.0.0.1:80", []string{"192.0.2.1", "10.0.0.2"}, "192.0.2.1"},
		"lines with several":            {"10.0.0.1:80", []string{"192.0.2.9, 192.0.2.1", "10.0.0.3, 10.0.0.2"}, "192.0.2.1"},
		"spoofed":                       {"10.0.0.1:80", []string{"203.0.113.7, 192.0.2.1"}, "192.0.2.1"},
		"spoofed as a proxy":            {"10.0.0.1:80", []string{"10.0.0.7, 192.0.2.1"}, "192.0.2.1"},
		"spoofed in a line before":      {"10.0.0.1:80", []string{"203.0.113.7", "192.0.2.1"}, "192.0.2.1"},
		"spoofed garbage":               {"10.0.0.1:80", []string{"<script>, 192.0.2.1"}, "192.0.2.1"},
		"an untrusted peer":             {"192.0.2.1:80", []string{"203.0.113.7"}, "192.0.2.1"},
		"an untrusted peer as a proxy":  {"192.0.2.1:80", []string{"203.0.113.7, 10.0.0.2"}, "192.0.2.1"},
		"only proxies":                  {"10.0.0.1:80", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"no field":                      {"10.0.0.1:80", nil, "10.0.0.1"},
		"empty":                         {"10.0.0.1:80", []string{""}, "10.0.0.1"},
		"an empty entry":                {"10.0.0.1:80", []string{"192.0.2.1,"}, "10.0.0.1"},
		"garbage":                       {"10.0.0.1:80", []string{"192.0.2.1, unknown"}, "10.0.0.1"},
		"garbage behind a proxy":        {"10.0.0.1:80", []string{"unknown, 10.0.0.2"}, "10.0.0.2"},
		"no address":                    {"10.0.0.1:80", []string{"192.0.2.256"}, "10.0.0.1"},
		"spaces":                        {"10.0.0.1:80", []string{" \t192.0.2.1 \t,  10.0.0.2  "}, "192.0.2.1"},
		"no spaces":                     {"10.0.0.1:80", []string{"192.0.2.1,10.0.0.2"}, "192.0.2.1"},
		"a port":                        {"10.0.0.1:80", []string{"192.0.2.1:4711, 10.0.0.2:80"}, "192.0.2.1"},
		"a port that is none":           {"10.0.0.1:80", []string{"192.0.2.1:x"}, "10.0.0.1"},
		"IPv6":                          {"10.0.0.1:80", []string{"2001:db8:1:2:3:4:5:6"}, "2001:db8:1:2::/64"},
		"IPv6 in brackets":              {"10.0.0.1:80", []string{"[2001:db8:1:2:3:4:5:6]"}, "2001:db8:1:2::/64"},
		"IPv6 in brackets, with a port": {"10.0.0.1:80", []string{"[2001:db8:1:2:3:4:5:6]:4711"}, "2001:db8:1:2::/64"},
		"a bracket that is not closed":  {"10.0.0.1:80", []string{"[2001:db8::1"}, "10.0.0.1"},
		"a bracket that is not opened":  {"10.0.0.1:80", []string{"2001:db8::1]"}, "10.0.0.1"},
		"IPv6 with a zone":              {"10.0.0.1:80", []string{"2001:db8:1:2::1%eth0"}, "2001:db8:1:2::/64"},
		"an IPv6 proxy":                 {"[2001:db8:ffff::1]:80", []string{"192.0.2.1"}, "192.0.2.1"},
		"an IPv6 proxy with a zone":     {"[fe80::1%eth0]:80", []string{"192.0.2.1, fe80::2%eth1"}, "192.0.2.1"},
		"an untrusted IPv6 peer":        {"[2001:db8:fffe::1]:80", []string{"192.0.2.1"}, "2001:db8:fffe::/64"},
		"IPv4 as IPv6":                  {"[::ffff:10.0.0.1]:80", []string{"::ffff:192.0.2.1, ::ffff:10.0.0.2"}, "192.0.2.1"},
		"a Unix socket":                 {"@", []string{"192.0.2.1"}, "@"},
		"no peer":                       {"", []string{"192.0.2.1"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, test.want, of(from(test.peer, test.xff...)))
		})
	}
}

func from(peer string, xff ...string) *http.Request {
	header := http.Header{}
	for _, line := range xff {
		header.Add("X-Forwarded-For", line)
	}

	return &http.Request{RemoteAddr: peer, Header: header}
}

// TestALongFieldCostsNothing but what is believed of it.
func TestALongFieldCostsNothing(t *testing.T) { //nolint:paralleltest // memory is counted
	of := ssestream.TrustedProxies(netip.MustParsePrefix("10.0.0.0/8"))
	for _, peer := range []string{"10.0.0.1:80", "192.0.2.1:80"} {
		r := from(peer, strings.Repeat("203.0.113.7,", 50_000)+"192.0.2.1")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 10 {
			assert.Equal(t, "192.0.2.1", of(r))
		}
		runtime.ReadMemStats(&after)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(500_000), "ten requests of 600 KB each")
	}
}

// FuzzTrustedProxies has any peer and any field.
func FuzzTrustedProxies(f *testing.F) {
	for _, seed := range [][3]string{
		{"10.0.0.1:80", "192.0.2.1", ""},
		{"10.0.0.1:80", "203.0.113.7, 192.0.2.1", "10.0.0.2"},
		{"192.0.2.1:80", "10.0.0.1", "10.0.0.2"},
		{"[2001:db8::1%eth0]:80", "[::1]:80,[", "]"},
		{"[::ffff:10.0.0.1]:80", "::ffff:192.0.2.1", ",,, \t"},
		{"@", "%", ":"},
		{"", "", ""},
		{"10.0.0.1:80", "[10.0.0.1]:", "\x00\xff"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	proxies := netip.MustParsePrefix("10.0.0.0/8")
	of := ssestream.TrustedProxies(proxies)
	trusted := func(address string) bool {
		addr, err := netip.ParseAddr(address)

		return err == nil && proxies.Contains(addr)
	}
	f.Fuzz(func(t *testing.T, peer, one, two string) {
		got, direct := of(from(peer, one, two)), ssestream.RemoteAddress(from(peer))
		if !trusted(direct) {
			assert.Equal(t, direct, got, "an untrusted peer's word counts for nothing")

			return
		}
		if addr, err := netip.ParseAddr(got); err == nil {
			assert.True(t, addr.Is4(), "%q", got)
		} else {
			prefix, err := netip.ParsePrefix(got)
			assert.NoError(t, err, "it is an address or a network: %q", got)
			assert.Equal(t, 64, prefix.Bits())
			assert.Equal(t, prefix.Masked(), prefix)
		}
		if !trusted(got) {
			assert.Equal(t, got, of(from(peer, "10.9.9.9, 203.0.113.7", one, two)), "what is to the left changes nothing")
		}
	})
}

// Behind a load balancer all connections come from it, and X-Forwarded-For says from whom they are.
func ExampleTrustedProxies() {
	config := ssestream.RouterConfig{
		MaxClientsPerAddress: 20,
		ClientAddress:        ssestream.TrustedProxies(netip.MustParsePrefix("10.0.0.0/8")),
	}
	for _, peer := range []string{"10.0.0.1:4711", "203.0.113.9:4711"} {
		request := httptest.NewRequest(http.MethodGet, "/posts/1", http.NoBody)
		request.RemoteAddr = peer
		request.Header.Set("X-Forwarded-For", "127.0.0.1, 192.0.2.7") // the client made up the first
		fmt.Println(config.ClientAddress(request))
	}
	// Output:
	// 192.0.2.7
	// 203.0.113.9
}

func ExampleRemoteAddress() {
	request := httptest.NewRequest(http.MethodGet, "/posts/1", http.NoBody)
	for _, peer := range []string{"192.0.2.7:4711", "[2001:db8:1:2:3:4:5:6]:4711"} {
		request.RemoteAddr = peer
		fmt.Println(ssestream.RemoteAddress(request))
	}
	// Output:
	// 192.0.2.7
	// 2001:db8:1:2::/64
}
