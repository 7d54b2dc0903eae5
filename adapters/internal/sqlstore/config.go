package sqlstore

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/internal/config"
)

// maxNameLength leaves room for the longest suffix in the 64 characters that MySQL gives the name of a table.
const maxNameLength = 40

// Config is the configuration of a Store.
type Config struct {
	// TablePrefix stands before the name of every table of the store, so that several applications can share a
	// database. It is made of ASCII letters, digits and underscores and does not begin with a digit. With the name of a
	// repository or feed store it has at most 40 bytes. It is not part of topics. Defaults to none.
	TablePrefix string
}

// Validate returns what is wrong with the configuration. The error wraps cqrsfeed.ErrInvalid.
func (c Config) Validate() error {
	var problems config.Problems
	if c.TablePrefix != "" {
		problems.Add(validateName("TablePrefix", c.TablePrefix))
	}
	return problems.Join()
}

// validName is narrower than what databases allow, so that a name means the same in all of them.
var validName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// validateName returns an error unless tables can have names that begin with name.
func validateName(what, name string) error {
	switch {
	case len(name) > maxNameLength:
		return fmt.Errorf("%w: %s %q has %d bytes, at most %d are allowed", cqrsfeed.ErrInvalid, what, name, len(name), maxNameLength)
	case !validName.MatchString(name):
		return fmt.Errorf("%w: %s %q must consist of ASCII letters, digits and underscores and not begin with a digit",
			cqrsfeed.ErrInvalid, what, name)
	case strings.HasPrefix(strings.ToLower(name), "sqlite_"):
		return fmt.Errorf("%w: %s %q begins with sqlite_, which SQLite reserves", cqrsfeed.ErrInvalid, what, name)
	}
	return nil
}
