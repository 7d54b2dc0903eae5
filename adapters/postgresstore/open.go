package postgresstore

import (
	"database/sql"
	"maps"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	connectTimeout  = 2 * time.Second
	idleTransaction = 20 * time.Second
	connections     = 20
)

// Open returns a database that does not hang on a server that cannot be reached, nor on connections that the network has
// forgotten, see the package's comment. It is stdlib.OpenDB with these bounds, unless the DSN has others:
//
//   - connect_timeout of 2 seconds,
//   - idle_in_transaction_session_timeout of 20 seconds until PostgreSQL ends a silent transaction and frees its rows. It
//     is not set with default_query_exec_mode in the DSN, because a pooler would refuse it: set it at the server,
//   - 20 connections at most, which stay open. Change them by SetMaxOpenConns and SetMaxIdleConns.
//
// config is that of pgx.ParseConfig and is not changed. Open does not connect. The caller closes the database.
func Open(config *pgx.ConnConfig) *sql.DB {
	db := stdlib.OpenDB(*bounded(config))
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db
}

// bounded returns a copy of config with the bounds that it lacks.
func bounded(config *pgx.ConnConfig) *pgx.ConnConfig {
	config = config.Copy()
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	if config.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
		params := map[string]string{"idle_in_transaction_session_timeout": strconv.FormatInt(idleTransaction.Milliseconds(), 10)}
		maps.Copy(params, config.RuntimeParams)
		config.RuntimeParams = params
	}
	return config
}
