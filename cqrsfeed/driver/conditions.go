package driver

import (
	"fmt"
	"slices"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// CheckVersion returns ErrConflict unless the options allow a change of an item of this version.
func CheckVersion(version int64, opts []cqrsfeed.ChangeOption) error {
	if len(opts) == 0 || slices.Contains(opts, cqrsfeed.IfVersion(version)) {
		return nil
	}
	return fmt.Errorf("%w: it is %d", cqrsfeed.ErrConflict, version)
}
