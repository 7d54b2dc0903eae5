package ssestream

import (
	"net/http"
	"strconv"
	"strings"
)

// serveState answers a plain request with the state as JSON, or with 304 if the client has it.
func (h *roomHandler) serveState(w http.ResponseWriter, r *http.Request) {
	w.Header().Add("Vary", "Accept")
	key, _, err := h.adapter.admit(r)
	if err != nil {
		h.router.fail(w, r, err)

		return
	}
	l, err := h.loadOnce(r.Context(), key)
	if err != nil {
		h.router.stats.loadErrors.Add(1)
		h.router.fail(w, r, err)

		return
	}

	header := w.Header()
	header.Set("ETag", `"`+l.version+`"`)
	header.Set("Cache-Control", "no-cache")
	if safe(r.Method) && noneMatches(r.Header.Values("If-None-Match"), l.version) {
		w.WriteHeader(http.StatusNotModified)

		return
	}
	writeJSON(w, r, l.json)
}

func writeJSON(w http.ResponseWriter, r *http.Request, body []byte) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // The peer may be gone; there is nobody left to tell.
	}
}

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead
}

// noneMatches says whether If-None-Match fields name the version, by the weak comparison of RFC 9110 section
// 13.1.2. A field that is no list of entity tags matches as far as it could be read.
func noneMatches(fields []string, version string) bool {
	for _, rest := range fields {
		for {
			rest = strings.TrimLeft(rest, " \t,")
			if strings.HasPrefix(rest, "*") {
				return true
			}
			rest = strings.TrimPrefix(rest, "W/")
			if !strings.HasPrefix(rest, `"`) {
				break
			}
			tag, after, ok := strings.Cut(rest[1:], `"`)
			if !ok {
				break
			}
			if tag == version {
				return true
			}
			rest = after
		}
	}

	return false
}
