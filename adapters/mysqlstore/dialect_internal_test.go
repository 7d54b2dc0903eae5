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

	"github.com/feedmill/feedmill/adapters/internal/sqlstore"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	server := func(number uint16) error { return &mysql.MySQLError{Number: number, Message: "no"} }
	for _, c := range []struct {
		err            error
		before, commit sqlstore.Verdict
	}{
		{server(1062), sqlstore.Duplicate, sqlstore.Lost},
		{server(1586), sqlstore.Duplicate, sqlstore.Lost},
		{server(1213), sqlstore.Again, sqlstore.Again},
		{server(1205), sqlstore.Again, sqlstore.Again},
		{server(1020), sqlstore.Again, sqlstore.Again},
		{server(1053), sqlstore.Lost, sqlstore.Lost},
		{server(1927), sqlstore.Lost, sqlstore.Lost},
		{server(3169), sqlstore.Lost, sqlstore.Lost},
		{server(1180), sqlstore.Permanent, sqlstore.Lost}, // "got error during COMMIT"
		{server(1146), sqlstore.Permanent, sqlstore.Lost},
		{driver.ErrBadConn, sqlstore.Again, sqlstore.Again},
		{mysql.ErrInvalidConn, sqlstore.Lost, sqlstore.Lost},
		{io.ErrUnexpectedEOF, sqlstore.Permanent, sqlstore.Lost},
		{context.DeadlineExceeded, sqlstore.Permanent, sqlstore.Lost},
		{errors.New("anything else"), sqlstore.Permanent, sqlstore.Lost},
	} {
		wrapped := fmt.Errorf("update row: %w", c.err)
		assert.Equal(t, c.before, classify(wrapped), "%v", c.err)
		assert.Equal(t, c.commit, classifyCommit(wrapped), "%v at commit", c.err)
	}
}

// TestStatements: whatever the server's defaults are, the tables are transactional, exact and unordered by
// language.
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
