package driver

import (
	"github.com/feedmill/feedmill/cqrsfeed"
)

// Conditions returns the options of a change together.
func Conditions(opts []cqrsfeed.ChangeOption) cqrsfeed.ChangeConditions {
	var c cqrsfeed.ChangeConditions
	for _, opt := range opts {
		opt(&c)
	}
	return c
}
