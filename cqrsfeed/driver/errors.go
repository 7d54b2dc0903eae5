package driver

import (
	"github.com/feedmill/feedmill/cqrsfeed"
)

// Refusals returns all refusals in err's tree.
func Refusals(err error) []*cqrsfeed.RefusedError { return inTree[*cqrsfeed.RefusedError](err) }

// Failures returns the failures of single messages in err's tree.
func Failures(err error) []*cqrsfeed.FailedError { return inTree[*cqrsfeed.FailedError](err) }

// Undecodable returns the bodies in err's tree that could not be decoded.
func Undecodable(err error) []*cqrsfeed.UndecodableError {
	return inTree[*cqrsfeed.UndecodableError](err)
}

// inTree returns all errors of a type. errors.As finds only the first.
func inTree[E error](err error) []E {
	//nolint:errorlint // this walks the tree itself
	switch e := err.(type) {
	case nil:
		return nil
	case E:
		return []E{e}
	case interface{ Unwrap() error }:
		return inTree[E](e.Unwrap())
	case interface{ Unwrap() []error }:
		var found []E
		for _, child := range e.Unwrap() {
			found = append(found, inTree[E](child)...)
		}
		return found
	default:
		return nil
	}
}
