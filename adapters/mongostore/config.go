package mongostore

import (
	"errors"
	"fmt"
	"strings"
)

// FeedStoreConfig configures a FeedStore.
type FeedStoreConfig struct {
	// CollectionPrefix begins the names of the collections, so that several read models can share
	// a database. Defaults to "feedmill_".
	CollectionPrefix string
	// CountAtOnce is the size of the largest feed that Apply counts itself. Recount counts larger feeds,
	// so that their size never delays an update. Off leaves all counts to Recount. Defaults to 10,000 items.
	CountAtOnce int
}

// Off as FeedStoreConfig.CountAtOnce leaves all counts to Recount.
const Off = -1

const maxPrefixLength = 64

func (c *FeedStoreConfig) setDefaults() {
	if c.CollectionPrefix == "" {
		c.CollectionPrefix = "feedmill_"
	}
	if c.CountAtOnce == 0 {
		c.CountAtOnce = 10_000
	}
}

// Validate reports all problems of the configuration, joined.
func (c FeedStoreConfig) Validate() error {
	var problems []error
	if strings.ContainsAny(c.CollectionPrefix, "$\x00") || strings.HasPrefix(c.CollectionPrefix, "system.") {
		problems = append(problems, fmt.Errorf("CollectionPrefix %q cannot begin the name of a collection", c.CollectionPrefix))
	}
	if len(c.CollectionPrefix) > maxPrefixLength {
		problems = append(problems, fmt.Errorf("CollectionPrefix has %d bytes, at most %d are allowed",
			len(c.CollectionPrefix), maxPrefixLength))
	}
	if c.CountAtOnce < Off {
		problems = append(problems, fmt.Errorf("CountAtOnce is %d, it must be positive or Off", c.CountAtOnce))
	}
	return errors.Join(problems...)
}
