// Package header adds to the header fields of a response, which middleware may have set before.
package header

import (
	"net/http"
	"strings"
)

// Include adds a member to a field that is a list, unless it is there. The field stays one line, for not everybody reads
// several.
func Include(h http.Header, field, member string) {
	for _, line := range h.Values(field) {
		for present := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(present), member) {
				return
			}
		}
	}
	h.Set(field, strings.Join(append(h.Values(field), member), ", "))
}

// Default sets a field that is not there.
func Default(h http.Header, field, value string) {
	if len(h.Values(field)) == 0 {
		h.Set(field, value)
	}
}
