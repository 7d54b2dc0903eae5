package takeover

import (
	"errors"
	"net/http"
	"runtime"

	"github.com/feedmill/feedmill/internal/panics"
)

// Aside runs f on a goroutine of its own and waits for it. A stack grows to what is needed at most and hardly ever
// shrinks: f, which parses, loads and writes, would leave 8 KB or more to a goroutine that then only waits for as
// long as a stream lasts, where 4 KB do.
//
// A panic of f continues on the caller's goroutine, as a [*panics.Raised] unless it is http.ErrAbortHandler, and so
// does runtime.Goexit.
func Aside(f func()) {
	var returned bool
	var raised *panics.Raised
	done := make(chan struct{})
	go func() {
		defer close(done)
		raised = panics.Catch(f)
		returned = true
	}()
	<-done
	if !returned {
		runtime.Goexit()
	}
	if raised == nil {
		return
	}
	if err, ok := raised.Reason.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(err)
	}
	panic(raised)
}
