package mysqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	server := func(number uint16) error { return &mysql.MySQLError{Number: number, Message: "no"} }
	for _, c := range []struct {
		err            error
		before, commit sqldb.Verdict
	}{
		{server(1062), sqldb.Duplicate, sqldb.Lost},
		{server(1586), sqldb.Duplicate, sqldb.Lost},
		{server(1213), sqldb.Again, sqldb.Again},
		{server(1205), sqldb.Again, sqldb.Again},
		{server(1020), sqldb.Again, sqldb.Again},
		{server(1053), sqldb.Lost, sqldb.Lost},
		{server(1927), sqldb.Lost, sqldb.Lost},
		{server(3169), sqldb.Lost, sqldb.Lost},
		{server(1180), sqldb.Permanent, sqldb.Lost}, // "got error during COMMIT"
		{server(1146), sqldb.Permanent, sqldb.Lost},
		{driver.ErrBadConn, sqldb.Again, sqldb.Again},
		{mysql.ErrInvalidConn, sqldb.Lost, sqldb.Lost},
		{io.ErrUnexpectedEOF, sqldb.Permanent, sqldb.Lost},
		{context.DeadlineExceeded, sqldb.Permanent, sqldb.Lost},
		{errors.New("anything else"), sqldb.Permanent, sqldb.Lost},
	} {
		wrapped := fmt.Errorf("update row: %w", c.err)
		assert.Equal(t, c.before, classify(wrapped), "%v", c.err)
		assert.Equal(t, c.commit, classifyCommit(wrapped), "%v at commit", c.err)
	}
}

// TestStatements: independent of the server's defaults, the tables are transactional, and compare and order by bytes.
func TestStatements(t *testing.T) {
	t.Parallel()
	d := dialect()
	assert.Equal(t, "`Order`", d.Quote("Order"))
	for _, schema := range [][]string{d.ItemsSchema("`x`"), d.OutboxSchema("`x`"), d.ParkedSchema("`x`")} {
		for _, statement := range schema {
			assert.True(t, strings.HasPrefix(statement, "CREATE TABLE IF NOT EXISTS `x` ("), statement)
			assert.Contains(t, statement, "ENGINE=InnoDB")
			assert.Equal(t, strings.Count(statement, "TEXT")+strings.Count(statement, "VARCHAR"),
				strings.Count(statement, "utf8mb4 COLLATE utf8mb4_bin"), statement)
		}
	}
}

func TestVersionsThatAreRefused(t *testing.T) {
	t.Parallel()
	for version, refused := range map[string]bool{
		"5.7.44-log": true, "8.0.36": false, "8.4.0": false, "9.7.0-1debian": false, "10.5.23-MariaDB": true, "10.6.0-MariaDB-log": false,
		"10.11.14-MariaDB-0+deb12u2": false, "11.4.2-MariaDB": false, "unknown": false,
	} {
		assert.Equal(t, refused, settings{"version": version}.version() != "", version)
	}
}
