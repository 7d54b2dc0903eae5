package cqrsfeedtest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

func randomBehaviours() map[string]func(*testing.T, openFeedStore) {
	return map[string]func(*testing.T, openFeedStore){
		"random histories in random batches": func(t *testing.T, open openFeedStore) {
			store := open(t)
			dice := newDice(t)
			var all []change
			for range 4 {
				changes := dice.histories(12, 5, 6)
				all = append(all, changes...)
				for _, batch := range dice.batches(append(changes, changes...), 9) {
					apply(t, store, batch...)
				}
				requireModel(t, store, fold(all))
			}
		},
	}
}

// dice makes random histories that can be had again by their seed.
type dice struct {
	*rand.Rand

	made int // items so far
}

func newDice(t *testing.T) *dice {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return &dice{Rand: rand.New(rand.NewPCG(seed, 1))}
}

// histories are all states of new items with up to versions versions each, in up to half of the feeds.
func (d *dice) histories(items, versions, feeds int) []change {
	var all []change
	for range items {
		d.made++
		id, minutes := fmt.Sprintf("post-%03d", d.made), d.IntN(10)
		last := int64(1 + d.IntN(versions))
		for version := int64(1); version <= last; version++ {
			if version == last && version > 1 && d.IntN(4) == 0 {
				all = append(all, tombstone(id, version, minutes))
				continue
			}
			all = append(all, state(id, version, minutes, d.feeds(feeds)...))
		}
	}
	return all
}

// feeds picks some of n feeds.
func (d *dice) feeds(n int) []string {
	var names []string
	for _, i := range d.Perm(n)[:d.IntN(n/2+1)] {
		names = append(names, fmt.Sprintf("feed-%d", i))
	}
	return names
}

// batches shuffles changes and cuts them into batches of up to most.
func (d *dice) batches(changes []change, most int) [][]change {
	shuffled := append([]change{}, changes...)
	d.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	var batches [][]change
	for len(shuffled) > 0 {
		n := min(1+d.IntN(most), len(shuffled))
		batches = append(batches, shuffled[:n])
		shuffled = shuffled[n:]
	}
	return batches
}
