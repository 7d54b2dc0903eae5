package sqldb

import (
	"context"
	"fmt"
)

// Table is a table of a store.
type Table struct {
	Name string
	// Columns are the columns that the table must have, separated by commas.
	Columns string
	// Schema are the statements that create the table if it does not exist.
	//
	// They also update tables of earlier versions. A version adds tables, or columns by statements of their own. It
	// neither removes nor renames any, so that processes of the version before keep working at the same time.
	Schema []string
}

// Ensure creates missing tables, and checks the columns of all.
func (d *Database) Ensure(ctx context.Context, tables []Table, largest int) error {
	return d.Retry(ctx, func() error {
		if check := d.Dialect.CheckConnection; check != nil {
			if err := check(ctx, d.DB.DB, largest); err != nil {
				return err
			}
		}
		for _, table := range tables {
			if err := d.ensureTable(ctx, table); err != nil {
				return err
			}
		}
		return nil
	})
}

// ensureTable executes no statement that needs the right to create a table if the table exists and its schema is one
// statement.
func (d *Database) ensureTable(ctx context.Context, table Table) error {
	if len(table.Schema) == 1 && d.checkColumns(ctx, table) == nil {
		return d.checkTable(ctx, table)
	}
	for _, statement := range table.Schema {
		if _, err := d.DB.ExecContext(ctx, d.Dialect.BeforeSchema+statement); err != nil {
			return fmt.Errorf("create table %s: %w", table.Name, err)
		}
	}
	if err := d.checkColumns(ctx, table); err != nil {
		return fmt.Errorf("table %s must have the columns %s: %w", table.Name, table.Columns, err)
	}
	return d.checkTable(ctx, table)
}

func (d *Database) checkTable(ctx context.Context, table Table) error {
	if check := d.Dialect.CheckTable; check != nil {
		return check(ctx, d.DB.DB, table.Name, table.Columns)
	}
	return nil
}

func (d *Database) checkColumns(ctx context.Context, table Table) error {
	check := "SELECT " + table.Columns + " FROM " + d.Dialect.Quote(table.Name) + " WHERE 1 = 0"
	_, err := d.DB.ExecContext(ctx, check)
	return err
}
