package driver

import (
	"github.com/feedmill/feedmill/cqrsfeed"
)

// Conditions returns what the options of a change add up to.
func Conditions(opts []cqrsfeed.ChangeOption) cqrsfeed.ChangeConditions {
	var c cqrsfeed.ChangeConditions
	for _, opt := range opts {
		opt(&c)
	}
	return c
}
