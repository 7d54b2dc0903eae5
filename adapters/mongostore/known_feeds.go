package mongostore

import "sync"

// mostKnownFeeds bounds what is remembered, to some megabytes.
const mostKnownFeeds = 50_000

// knownFeeds remembers which feeds have a head. Heads are never removed, so that most bumps can go without making one.
// It is safe for concurrent use.
type knownFeeds struct {
	mu    sync.Mutex
	names map[string]bool
}

func newKnownFeeds() *knownFeeds { return &knownFeeds{names: make(map[string]bool)} }

// split returns which feeds are known, and which are not.
func (k *knownFeeds) split(feeds []string) (known, others []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, feed := range feeds {
		if k.names[feed] {
			known = append(known, feed)
		} else {
			others = append(others, feed)
		}
	}
	return known, others
}

// add notes feeds that have a head now.
func (k *knownFeeds) add(feeds []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.names)+len(feeds) > mostKnownFeeds {
		clear(k.names)
	}
	for _, feed := range feeds {
		k.names[feed] = true
	}
}
