package driver

import (
	"github.com/feedmill/feedmill/cqrsfeed"
)

// Conditions returns what a store has to check for the options of a call.
func Conditions(opts []cqrsfeed.ChangeOption) cqrsfeed.ChangeConditions {
	var c cqrsfeed.ChangeConditions
	for _, opt := range opts {
		opt(&c)
	}
	return c
}
