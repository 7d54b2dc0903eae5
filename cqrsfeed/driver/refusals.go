package driver

import (
	"github.com/feedmill/feedmill/cqrsfeed"
)

// Refusals returns the refusals in err's tree, whatever joined or wrapped them.
func Refusals(err error) []*cqrsfeed.RefusedError {
	//nolint:errorlint // this walks the tree itself, because errors.As finds only the first
	switch e := err.(type) {
	case nil:
		return nil
	case *cqrsfeed.RefusedError:
		return []*cqrsfeed.RefusedError{e}
	case interface{ Unwrap() error }:
		return Refusals(e.Unwrap())
	case interface{ Unwrap() []error }:
		var found []*cqrsfeed.RefusedError
		for _, child := range e.Unwrap() {
			found = append(found, Refusals(child)...)
		}
		return found
	default:
		return nil
	}
}
