package mysqlstore

import (
	"database/sql"
	"maps"
	"time"

	"github.com/go-sql-driver/mysql"
)

const (
	connectTimeout = 2 * time.Second
	waitTimeout    = "20"             // seconds
	idleTime       = 10 * time.Second // less than waitTimeout
)

// Open returns a database that does not hang on a server that cannot be reached, nor on connections that the network has
// forgotten, see the package's comment. It is sql.OpenDB with these bounds, unless the DSN has others:
//
//   - timeout of 2 seconds to connect,
//   - wait_timeout of 20 seconds until MySQL ends a silent session and frees its rows,
//   - connections that were idle for 10 seconds are closed. If your wait_timeout is less than 15 seconds, lower this too
//     (SetConnMaxIdleTime).
//
// config is that of mysql.ParseDSN and is not changed. Open does not connect. The caller closes the database.
func Open(config *mysql.Config) (*sql.DB, error) {
	connector, err := mysql.NewConnector(bounded(config))
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetConnMaxIdleTime(idleTime)
	return db, nil
}

// bounded returns a copy of config with the bounds that it lacks.
func bounded(config *mysql.Config) *mysql.Config {
	config = config.Clone()
	if config.Timeout == 0 {
		config.Timeout = connectTimeout
	}
	params := map[string]string{"wait_timeout": waitTimeout}
	maps.Copy(params, config.Params)
	config.Params = params
	return config
}
