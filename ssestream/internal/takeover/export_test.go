package takeover

import "net/http"

func EndsItself(w http.ResponseWriter, r *http.Request) bool { return endsItself(w, r) }

func WroteHeader(w http.ResponseWriter) (wrote, ok bool) { return wroteHeader(w) }
