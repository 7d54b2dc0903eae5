package driver

import (
	"github.com/feedmill/feedmill/cqrsfeed"
)

// PageLimit returns the limit that a store applies: DefaultPageLimit for zero or less, and at most MaxPageLimit.
func PageLimit(limit int) int {
	if limit <= 0 {
		return cqrsfeed.DefaultPageLimit
	}
	return min(limit, cqrsfeed.MaxPageLimit)
}
