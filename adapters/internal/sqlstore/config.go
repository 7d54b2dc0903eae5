package sqlstore

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// maxOutboxTable leaves room for parkedSuffix in the 64 characters that MySQL gives a name.
const maxOutboxTable = 57

// OutboxConfig is the configuration of an Outbox.
type OutboxConfig struct {
	Table string
}

// SetDefaults fills in what is not set.
func (c *OutboxConfig) SetDefaults() {
	if c.Table == "" {
		c.Table = "outbox"
	}
}

// Validate says what is wrong with the configuration.
func (c OutboxConfig) Validate() error {
	c.SetDefaults()
	if len(c.Table) > maxOutboxTable {
		return fmt.Errorf("%w: table name %q of an outbox: want at most %d characters, because there is a table %s as well",
			cqrsfeed.ErrInvalid, c.Table, maxOutboxTable, c.Table+parkedSuffix)
	}
	return ValidateTable(c.Table)
}

// RepositoryConfig is the configuration of a Repository.
type RepositoryConfig struct {
	Table  string
	Topics cqrsfeed.Topics
}

// SetDefaults fills in what is not set.
func (c *RepositoryConfig) SetDefaults() {
	if c.Table == "" {
		c.Table = "items"
	}
}

// Validate joins what is wrong with the configuration.
func (c RepositoryConfig) Validate() error {
	c.SetDefaults()
	return errors.Join(ValidateTable(c.Table), c.Topics.Validate())
}

// tableName is narrower than what databases allow, so that a name means the same in all of them.
var tableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,59}$`)

// ValidateTable says whether name can name a table. The error wraps ErrInvalid.
func ValidateTable(name string) error {
	if !tableName.MatchString(name) {
		return fmt.Errorf("%w: table name %q: want 1 to 60 ASCII letters, digits and underscores, no digit first",
			cqrsfeed.ErrInvalid, name)
	}
	if strings.HasPrefix(strings.ToLower(name), "sqlite_") {
		return fmt.Errorf("%w: table name %q: the prefix sqlite_ is reserved", cqrsfeed.ErrInvalid, name)
	}
	return nil
}
