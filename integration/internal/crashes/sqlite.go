// Package crashes opens stores on SQLite for the crash tests of other stores.
package crashes

import (
	"database/sql"

	"modernc.org/sqlite"

	"github.com/feedmill/feedmill/adapters/sqlitestore"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/crashtest"
)

// OpenSQLite opens a store in a file for a process. use makes the parts that the process needs. Then the process ensures the
// schema; if it is stopped in that, the next one does.
func OpenSQLite(process *crashtest.Process, path string, use func(*sqlitestore.Store) error) (closeDB func(), err error) {
	connector, err := sqlite.NewConnector(sqlitestore.DSN(path))
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(crashtest.Connector(connector, process))
	closeDB = func() { _ = db.Close() }
	store, err := sqlitestore.New(db, sqlitestore.Config{})
	if err == nil {
		err = use(store)
	}
	if err == nil {
		err = store.EnsureSchema(process.Context())
	}
	if err != nil {
		closeDB()
	}
	return closeDB, err
}
