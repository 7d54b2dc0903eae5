package takeover

import (
	"runtime"

	"github.com/feedmill/feedmill/internal/panics"
)

// Aside runs f on a goroutine of its own and waits for it. A stack grows to what is needed at most and hardly ever
// shrinks: f, which parses, loads and writes, would leave 8 KB or more to a goroutine that then only waits for as
// long as a stream lasts, where 4 KB do.
//
// It returns the panic of f, if there was one. The caller has to go on with it, by a panic with its Reason, and only the
// caller can tell of its Stack. A runtime.Goexit of f is one of the caller.
func Aside(f func()) *panics.Raised {
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

	return raised
}
