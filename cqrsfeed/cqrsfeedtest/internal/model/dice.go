package model

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// Dice makes random histories from a seed.
type Dice struct {
	*rand.Rand

	made int // items so far
}

// NewDice logs its seed.
func NewDice(t *testing.T) *Dice {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return &Dice{Rand: rand.New(rand.NewPCG(seed, 1))}
}

// Histories returns all states of new items, with up to versions versions each. A version is in up to half of the feeds. Some
// versions are withheld, and some of these are accepted too.
func (d *Dice) Histories(items, versions, feeds int) []Change {
	var all []Change
	for range items {
		d.made++
		id, minutes := fmt.Sprintf("post-%03d", d.made), d.IntN(10)
		last := int64(1 + d.IntN(versions))
		for version := int64(1); version <= last; version++ {
			if version == last && version > 1 && d.IntN(4) == 0 {
				all = append(all, Tombstone(id, version, minutes))
				continue
			}
			if d.IntN(8) == 0 {
				all = append(all, Withheld(id, version, minutes))
				if d.IntN(2) == 0 {
					continue
				}
			}
			all = append(all, State(id, version, minutes, d.feeds(feeds)...))
		}
	}
	return all
}

// feeds picks some of n feeds.
func (d *Dice) feeds(n int) []string {
	var names []string
	for _, i := range d.Perm(n)[:d.IntN(n/2+1)] {
		names = append(names, fmt.Sprintf("feed-%d", i))
	}
	return names
}

// Batches shuffles changes and cuts them into batches of up to most.
func (d *Dice) Batches(changes []Change, most int) [][]Change {
	shuffled := append([]Change{}, changes...)
	d.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	var batches [][]Change
	for len(shuffled) > 0 {
		n := min(1+d.IntN(most), len(shuffled))
		batches = append(batches, shuffled[:n])
		shuffled = shuffled[n:]
	}
	return batches
}
