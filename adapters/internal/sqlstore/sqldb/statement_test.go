package sqldb_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
)

// TestAnInsertIsBounded by rows and by size. A single row may be larger.
func TestAnInsertIsBounded(t *testing.T) {
	t.Parallel()
	length := func(rows, size int) int { return sqldb.InsertLength(rows, func(int) int { return size }) }
	assert.Equal(t, 7, length(7, 1))
	assert.Equal(t, sqldb.MaxInsertRows, length(2*sqldb.MaxInsertRows, 1))
	assert.Equal(t, 4, length(9, sqldb.MaxInsertBytes/4))
	assert.Equal(t, 1, length(2, 2*sqldb.MaxInsertBytes))
}
