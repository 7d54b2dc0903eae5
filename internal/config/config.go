// Package config gives configurations their defaults and collects what is wrong with them, so that every
// component of the module does both in the same way and with the same words.
package config

import (
	"cmp"
	"errors"
	"fmt"
)

// Default sets a field that has its zero value.
func Default[V comparable](field *V, value V) {
	var zero V
	if *field == zero {
		*field = value
	}
}

// Problems collects what is wrong with a configuration.
type Problems struct{ errs []error }

// Require adds a problem when a required field is missing.
func (p *Problems) Require(present bool, field string) { p.Check(present, "%s is missing", field) }

// Check adds a problem unless ok.
func (p *Problems) Check(ok bool, format string, args ...any) {
	if !ok {
		p.errs = append(p.errs, fmt.Errorf(format, args...))
	}
}

// Add adds an error that a part of the configuration has; nil adds nothing.
func (p *Problems) Add(err error) {
	if err != nil {
		p.errs = append(p.errs, err)
	}
}

// Join returns the problems joined, or nil.
func (p *Problems) Join() error { return errors.Join(p.errs...) }

// NotNegative adds a problem when a number or duration is negative.
func NotNegative[V cmp.Ordered](p *Problems, field string, value V) {
	var zero V
	p.Check(value >= zero, "%s is %v, it must not be negative", field, value)
}

// Bounds adds a problem when either bound is negative, or when both are set and the lower one is the greater.
func Bounds[V cmp.Ordered](p *Problems, lowField string, low V, highField string, high V) {
	var zero V
	NotNegative(p, lowField, low)
	NotNegative(p, highField, high)
	p.Check(high <= zero || low <= high, "%s %v is less than %s %v", highField, high, lowField, low)
}
