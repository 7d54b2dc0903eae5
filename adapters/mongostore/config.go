package mongostore

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// FeedStoreConfig says where a FeedStore keeps its collections and how much it counts at once.
type FeedStoreConfig struct {
	// CollectionPrefix begins the names of the collections, so that several read models can live in
	// one database. Defaults to "feedmill_".
	CollectionPrefix string
	// CountAtOnce is the size up to which Apply counts a feed itself. Larger feeds are counted by Recount,
	// so that their size never delays an update. Defaults to 10,000 entries.
	CountAtOnce int
	// CountedFeeds is how many feeds one batch counts itself at most; a batch that touches more leaves the
	// others to Recount, so that its number of round trips is fixed. Batches that follow each other closely count for
	// a tenth of the time at most, and leave the rest to Recount too. Defaults to 40.
	CountedFeeds int
	// SecondLook is how long after an item left a feed Recount looks there once more, for entries that a worker
	// wrote which had stood still since before. Half of it has to be longer than a command can be on its way
	// to the server plus what the workers' clocks differ by. Apply gives up on 1,000 items after a quarter of it.
	// Defaults to one hour.
	SecondLook time.Duration
}

// NoCounting as CountedFeeds leaves all counts to Recount.
const NoCounting = -1

const maxPrefixLength = 64

func (c *FeedStoreConfig) setDefaults() {
	if c.CollectionPrefix == "" {
		c.CollectionPrefix = "feedmill_"
	}
	if c.CountAtOnce == 0 {
		c.CountAtOnce = 10_000
	}
	if c.CountedFeeds == 0 {
		c.CountedFeeds = 40
	}
	if c.SecondLook == 0 {
		c.SecondLook = time.Hour
	}
}

// Validate joins what is wrong with the configuration.
func (c FeedStoreConfig) Validate() error {
	var problems []error
	if strings.ContainsAny(c.CollectionPrefix, "$\x00") || strings.HasPrefix(c.CollectionPrefix, "system.") {
		problems = append(problems, fmt.Errorf("CollectionPrefix %q cannot begin the name of a collection", c.CollectionPrefix))
	}
	if len(c.CollectionPrefix) > maxPrefixLength {
		problems = append(problems, fmt.Errorf("CollectionPrefix has %d bytes, at most %d are allowed",
			len(c.CollectionPrefix), maxPrefixLength))
	}
	if c.CountAtOnce < 0 {
		problems = append(problems, fmt.Errorf("CountAtOnce is %d, it must be positive", c.CountAtOnce))
	}
	if c.CountedFeeds < NoCounting {
		problems = append(problems, fmt.Errorf("CountedFeeds is %d, it must be positive or NoCounting", c.CountedFeeds))
	}
	if c.SecondLook < 0 {
		problems = append(problems, fmt.Errorf("SecondLook is %s, it must be positive", c.SecondLook))
	}
	return errors.Join(problems...)
}
