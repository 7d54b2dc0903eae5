package projector

import "sync"

const (
	// giveBackAfter is the number of failures after which a message goes back to the broker, which may deliver it to an
	// instance of another release.
	giveBackAfter = 10
	// maxGivenBack bounds the messages whose failures are remembered. Forgetting them only delays the poison topic.
	maxGivenBack = 1000
)

// givenBack keeps the failures of messages that were given back, by UUID, because the broker may deliver them here again.
type givenBack struct {
	mu       sync.Mutex
	failures map[string]int
}

func (g *givenBack) add(uuid string, failures int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failures == nil || len(g.failures) >= maxGivenBack {
		g.failures = make(map[string]int)
	}
	g.failures[uuid] = failures
}

// take returns the failures of a message, and forgets them.
func (g *givenBack) take(uuid string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	failures := g.failures[uuid]
	delete(g.failures, uuid)
	return failures
}
