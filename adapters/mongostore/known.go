package mongostore

import "sync"

// knownHeads caches the heads of feeds as this store last read or wrote them. A head that is unchanged shows that the feed
// has not been bumped since. A new item then needs no count, and a page can read its head and its items concurrently.
type knownHeads struct {
	mu    sync.Mutex
	heads map[string]knownHead
}

type knownHead struct {
	feedDocument

	// own reports whether the store wrote the head, and replaced one that it knew. Then the next head is probably its own
	// again, and is used before it is read.
	own bool
}

// maxKnownHeads is the maximum number of cached heads. Feeds without a cached head are counted and read in order.
const maxKnownHeads = 10_000

// of returns the zero value for a feed that is not known.
func (k *knownHeads) of(feed string) knownHead {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.heads[feed]
}

// wrote notes a head that the store has written in place of another one, or as the first.
func (k *knownHeads) wrote(head feedDocument, replaced *feedDocument) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.setLocked(knownHead{head, replaced == nil || *replaced == k.heads[head.Name].feedDocument})
}

// disown notes that heads are about to be changed without their counts, so that they are not own any more.
func (k *knownHeads) disown(feeds []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, feed := range feeds {
		if head, known := k.heads[feed]; known {
			k.heads[feed] = knownHead{head.feedDocument, false}
		}
	}
}

// read notes a head that the store has read, unless the cache has changed since it returned before.
func (k *knownHeads) read(head feedDocument, before knownHead) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.heads[head.Name] == before {
		k.setLocked(knownHead{head, false})
	}
}

func (k *knownHeads) setLocked(head knownHead) {
	if k.heads == nil || len(k.heads) >= maxKnownHeads {
		k.heads = make(map[string]knownHead)
	}
	k.heads[head.Name] = head
}
