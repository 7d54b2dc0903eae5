package takeover

import "net/http"

func WroteHeader(w http.ResponseWriter) (wrote, ok bool) { return wroteHeader(w) }
