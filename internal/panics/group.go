package panics

import (
	"sync"
	"sync/atomic"
)

// Group runs functions on goroutines of their own. The zero value is ready.
type Group struct {
	running sync.WaitGroup
	first   atomic.Pointer[Raised]
}

// Go calls f on a goroutine of its own.
func (g *Group) Go(f func()) {
	g.running.Go(func() {
		raised := &Raised{Reason: errGoexit} // unless f returns or panics
		defer func() {
			if raised != nil {
				g.first.CompareAndSwap(nil, raised)
			}
		}()
		raised = Catch(f)
	})
}

// Wait waits for all functions. It returns the first of their panics, or nil. A function that ended by runtime.Goexit counts
// as one that panicked.
func (g *Group) Wait() *Raised {
	g.running.Wait()
	return g.first.Load()
}

// Aside calls f on a goroutine of its own and waits for it, as a Group does.
func Aside(f func()) *Raised {
	var g Group
	g.Go(f)
	return g.Wait()
}
