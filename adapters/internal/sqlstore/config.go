package sqlstore

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/internal/config"
)

// maxNameLength leaves room for the longest suffix within the 64 characters of a table name in MySQL.
const maxNameLength = 40

// Config is the configuration of a Store.
type Config struct {
	// TablePrefix begins the name of every table of the store, so that several applications can share a database. It
	// consists of ASCII letters, digits and underscores and does not begin with a digit. With the name of a repository
	// or feed store it has at most 40 bytes. It is not part of topics. Defaults to none.
	TablePrefix string
	// MaxEventBytes is the maximum size of an event, as JSON and with its metadata. Larger ones are refused with
	// cqrsfeed.ErrTooLarge when they are written. It must not exceed what the broker accepts, less its headers, nor
	// cqrsfeed.MaxEventBytes. Defaults to cqrsfeed.DefaultEventBytes, which fits NATS.
	MaxEventBytes int
	// Topics returns the topics of a repository's events by its name, such as cqrsfeed.PartitionsOf. Defaults to
	// cqrsfeed.TopicsOf.
	Topics func(name string) cqrsfeed.Topics
}

func (c *Config) setDefaults() {
	config.Default(&c.MaxEventBytes, cqrsfeed.DefaultEventBytes)
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
	if c.MaxEventBytes < 0 || c.MaxEventBytes > cqrsfeed.MaxEventBytes {
		problems.Add(fmt.Errorf("%w: MaxEventBytes is %d, it must be from 0 to %d",
			cqrsfeed.ErrInvalid, c.MaxEventBytes, cqrsfeed.MaxEventBytes))
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
