package ssestream

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill"

	"github.com/feedmill/feedmill/ssestream/internal/response"
	"github.com/feedmill/feedmill/ssestream/internal/socket"
)

// warnings explain what would otherwise be silence, each once.
type warnings struct{ run, deadlines sync.Once }

var (
	errNotRunning = errors.New("Run was not called, or has not subscribed to all topics")
	errNoMessages = errors.New("no message has ever come on its topics: are they named as where the changes are published, " +
		"and does every instance receive every message? Or does the state change with the time of its load?")
	errNoDeadlines = errors.New("the response writer of the middleware has neither SetWriteDeadline nor Unwrap: " +
		"WriteTimeout does not apply, and a client that stalls holds its stream, also against Kick and Close; " +
		"Router.ConnContext helps")
)

// runPatience is how long there may be streams before Run until the log tells of it.
const runPatience = 5 * time.Second

// warnOfStream looks at a stream that is requested.
func (r *Router) warnOfStream(w http.ResponseWriter, req *http.Request) {
	if !response.HasDeadlines(w) && socket.Of(req.Context()) == nil {
		r.warned.deadlines.Do(func() {
			r.logger.Error("Writes to streams have no deadline", errNoDeadlines, watermill.LogFields{"writer": fmt.Sprintf("%T", w)})
		})
	}
	if r.runs() {
		return
	}
	r.warned.run.Do(func() {
		time.AfterFunc(runPatience, func() {
			if !r.runs() {
				r.logger.Error("Streams see no changes before Router.Run", errNotRunning, nil)
			}
		})
	})
}

// runs reports whether Run has begun to serve, or the router is closed.
func (r *Router) runs() bool {
	select {
	case <-r.running:
		return true
	default:
		return r.closed.Err() != nil
	}
}

// unheard counts the changes of a handler that were found before any message came.
type unheard struct {
	found  atomic.Int32
	warned sync.Once
}

// unheardOf is how many changes without a message are no accident: one can be found before its message comes.
const unheardOf = 3

// unannounced notes that a state has changed, and that no message is known that announced it. A change from before a topic was
// subscribed to, or while the broker was away, is found at the latest when all rooms load the next time.
func (h *handler) unannounced(key string) {
	settled := max(h.router.config.Resync*11/10, h.router.config.LoadTimeout) // Without Resync, clients that come find changes.
	for _, up := range h.upstreams {
		if !up.silent(settled) {
			return
		}
	}
	if len(h.upstreams) > 0 && h.unheard.found.Add(1) >= unheardOf {
		h.unheard.warned.Do(func() {
			h.router.logger.Error("States change without a message", errNoMessages, watermill.LogFields{
				"topic": h.topics, "key": key,
			})
		})
	}
}
