package sqlstore

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/limits"
	"github.com/feedmill/feedmill/internal/config"
)

// maxNameLength leaves room for the longest suffix within the 64 characters of a table name in MySQL.
const maxNameLength = 40

// Config is the configuration of a Store. The aliases in mysqlstore and sqlitestore describe the fields.
type Config struct {
	TablePrefix   string
	MaxEventBytes int // with the metadata, as JSON
	Topics        func(name string) cqrsfeed.Topics
}

func (c *Config) setDefaults() {
	config.Default(&c.MaxEventBytes, limits.DefaultEventBytes)
	if c.Topics == nil {
		c.Topics = cqrsfeed.TopicsOf
	}
}

// Validate returns all problems of the configuration, joined. The error wraps cqrsfeed.ErrInvalid.
func (c Config) Validate() error {
	var problems config.Problems
	if c.TablePrefix != "" {
		problems.Add(validateName("TablePrefix", c.TablePrefix))
	}
	if c.MaxEventBytes < 0 || c.MaxEventBytes > limits.MaxEventBytes {
		problems.Add(fmt.Errorf("%w: MaxEventBytes is %d, it must be from 0 to %d",
			cqrsfeed.ErrInvalid, c.MaxEventBytes, limits.MaxEventBytes))
	}
	return problems.Join()
}

// validName is stricter than the databases are, so that a name means the same in all of them.
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
