//go:build linux

package load

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
)

// browserEncodings are those that Chromium accepts.
const browserEncodings = "gzip, deflate, br, zstd"

// Request returns the request that Chromium sends for a new EventSource(path) of a page of the same origin. An encoding
// is the only one that it accepts. An empty lastEventID makes it a first connection.
func Request(address netip.AddrPort, path, encoding, lastEventID string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\n", path)
	fmt.Fprintf(&b, "Host: %s\r\n", address)
	b.WriteString("Connection: keep-alive\r\n" +
		"sec-ch-ua-platform: \"Linux\"\r\n" +
		"Cache-Control: no-cache\r\n" +
		"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) " +
		"Chrome/140.0.0.0 Safari/537.36\r\n" +
		"Accept: text/event-stream\r\n" +
		"sec-ch-ua: \"Chromium\";v=\"140\", \"Not=A?Brand\";v=\"24\"\r\n" +
		"sec-ch-ua-mobile: ?0\r\n" +
		"Sec-Fetch-Site: same-origin\r\n" +
		"Sec-Fetch-Mode: cors\r\n" +
		"Sec-Fetch-Dest: empty\r\n")
	fmt.Fprintf(&b, "Referer: http://%s/\r\n", address)
	fmt.Fprintf(&b, "Accept-Encoding: %s\r\n", cmp.Or(encoding, browserEncodings))
	b.WriteString("Accept-Language: en-US,en;q=0.9\r\n")
	if lastEventID != "" {
		fmt.Fprintf(&b, "Last-Event-ID: %s\r\n", lastEventID)
	}
	b.WriteString("\r\n")

	return []byte(b.String())
}
