package sqlstore

import (
	"context"
	"fmt"
)

// Table is a table of a store.
type Table struct {
	Name string
	// Columns are those that the table must have, separated by commas.
	Columns string
	// Schema are the statements that create the table unless it exists.
	//
	// They are also how tables of earlier versions are brought up to date: a version adds tables, or columns by
	// statements of their own, and neither removes nor renames any, so that processes of the version before go on
	// working beside those of this one.
	Schema []string
}

// ensure creates the tables that do not exist, and makes sure that all have their columns.
func (d *Database) ensure(ctx context.Context, tables []Table) error {
	return d.Retry(ctx, func() error {
		if check := d.dialect.CheckConnection; check != nil {
			if err := check(ctx, d.db); err != nil {
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

// ensureTable executes nothing that needs the right to create a table where the table is there and one statement creates
// all of it.
func (d *Database) ensureTable(ctx context.Context, table Table) error {
	if len(table.Schema) == 1 && d.checkColumns(ctx, table) == nil {
		return nil
	}
	for _, statement := range table.Schema {
		if _, err := d.db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("create table %s: %w", table.Name, err)
		}
	}
	if err := d.checkColumns(ctx, table); err != nil {
		return fmt.Errorf("table %s must have the columns %s: %w", table.Name, table.Columns, err)
	}
	return nil
}

func (d *Database) checkColumns(ctx context.Context, table Table) error {
	check := "SELECT " + table.Columns + " FROM " + d.dialect.Quote(table.Name) + " WHERE 1 = 0" //nolint:gosec // a validated, quoted name
	_, err := d.db.ExecContext(ctx, check)
	return err
}
