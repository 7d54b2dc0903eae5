package model

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
)

// Body is the application value of the suites.
type Body = cqrsfeedtest.Body

// Change is a state of an item with its feeds.
type Change = cqrsfeed.FeedChange[Body]

// Epoch returns the creation time of the first items. It has microseconds, which a store must keep.
func Epoch() time.Time { return time.Date(2024, time.March, 1, 12, 0, 0, 123_457_000, time.UTC) }

// State returns a version of an item that was created minutes after the Epoch. Its body names the feeds.
func State(id string, version int64, minutes int, feeds ...string) Change {
	created := Epoch().Add(time.Duration(minutes) * time.Minute)
	return Change{
		Item: cqrsfeed.Item[Body]{
			ID: id, Version: version, CreatedAt: created,
			UpdatedAt: created.Add(time.Duration(version-1) * time.Second),
			Body:      Body{Text: fmt.Sprintf("%s as of %d", id, version), Tags: append([]string{}, feeds...)},
		},
		Feeds: feeds,
	}
}

// Tombstone returns the version that deletes an item.
func Tombstone(id string, version int64, minutes int) Change {
	c := State(id, version, minutes)
	c.Item.Deleted = true
	return c
}

// Withheld returns a change that withholds a version. A store must ignore its feeds and body.
func Withheld(id string, version int64, minutes int) Change {
	c := State(id, version, minutes, fmt.Sprintf("never-%s-%d", id, version))
	c.Withheld = true
	return c
}

// Encoded returns a change with the body that another release wrote.
func Encoded(c Change, body string) Change {
	c.Item.Body, c.Item.Encoded = Body{}, json.RawMessage(body)
	return c
}

// Undecodable returns a change whose body has a number as its text.
func Undecodable(c Change) Change { return Encoded(c, `{"text":5}`) }

// ByRule returns a state whose feeds a rule named.
func ByRule(rule int64, c Change) Change {
	c.Rule = rule
	return c
}

// ManyItems returns the states of n items in few feeds, some of which are deleted.
func ManyItems(n int) []Change {
	var all []Change
	for i := range n {
		id := fmt.Sprintf("post-%04d", i)
		all = append(all, State(id, 1, i, "all", fmt.Sprintf("tag-%d", i%7)))
		switch i % 10 {
		case 3:
			all = append(all, State(id, 2, i, "all", fmt.Sprintf("tag-%d", i%5)))
		case 4:
			all = append(all, Tombstone(id, 2, i))
		}
	}
	return all
}

// SameText compares texts without printing megabytes when a test fails.
func SameText(want, got string) bool { return want == got }
