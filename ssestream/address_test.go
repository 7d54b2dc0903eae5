package ssestream_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
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
	}
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
