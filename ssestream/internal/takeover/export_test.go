package takeover

import (
	"context"
	"net/http"
)

func WroteHeader(w http.ResponseWriter) (wrote, ok bool) { return wroteHeader(w) }

// AloneHandler sends what Alone returns. Its function is one of this package, as the stack has it.
type AloneHandler chan context.Context

func (h AloneHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h <- Alone(w, r) }
