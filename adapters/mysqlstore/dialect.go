package mysqlstore

import (
	"database/sql/driver"
	"errors"

	"github.com/go-sql-driver/mysql"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
)

func dialect() sqldb.Dialect {
	return sqldb.Dialect{
		Name:        "mysqlstore",
		Quote:       quote,
		BeginChange: []string{"START TRANSACTION"},
		// At REPEATABLE READ the locking read would also lock the gaps between the rows, and writers could not add to
		// the outbox.
		BeginDrain: []string{"SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "START TRANSACTION"},
		// It must see rows that others have inserted and not committed, instead of waiting for them.
		BeginShared:      []string{"SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED", "START TRANSACTION"},
		LockRow:          " FOR UPDATE",
		SkipLocked:       " FOR UPDATE SKIP LOCKED",
		KeepsDeletedRows: true,
		ByID:             " FORCE INDEX (PRIMARY)",
		ByTopic:          " FORCE INDEX (by_topic)",
		DeleteIDs:        deleteIDs,
		Classify:         classify,
		ClassifyCommit:   classifyCommit,
		NoTransaction:    func(error) bool { return false }, // ROLLBACK without a transaction is no error
		CheckConnection:  checkConnection,
		CheckTable:       checkTable,
		ItemsSchema:      itemsSchema,
		OutboxSchema:     outboxSchema,
		ParkedSchema:     parkedSchema,
	}
}

func quote(table string) string { return "`" + table + "`" }

// deleteIDs looks each id up. MySQL would carry out a plain IN list that names most of a short table as a scan of the whole
// table, which waits for the rows that other relays hold, while they wait for ours: a deadlock.
func deleteIDs(table, ids string) string {
	return "DELETE o FROM JSON_TABLE('[" + ids + "]', '$[*]' COLUMNS (id BIGINT PATH '$')) AS k" +
		" STRAIGHT_JOIN " + table + " AS o ON o.id = k.id"
}

func itemsSchema(table string) []string {
	return []string{`CREATE TABLE IF NOT EXISTS ` + table + ` (
	id VARBINARY(128) NOT NULL PRIMARY KEY,
	version BIGINT NOT NULL,
	body LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	deleted BOOLEAN NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`}
}

// messageColumns are the columns of a message in both tables of the outbox.
const messageColumns = `
	uuid VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
	topic VARBINARY(255) NOT NULL,
	metadata LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
	payload LONGBLOB NOT NULL,
	created_at BIGINT NOT NULL,`

func outboxSchema(table string) []string {
	return []string{`CREATE TABLE IF NOT EXISTS ` + table + ` (
	id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,` + messageColumns + `
	KEY by_topic (topic, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`}
}

// parkedSchema has the columns of the queue, the place in it, and why the messages were parked.
func parkedSchema(table string) []string {
	return []string{`CREATE TABLE IF NOT EXISTS ` + table + ` (
	id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
	place BIGINT NOT NULL,` + messageColumns + `
	reason TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
	attempts INT NOT NULL,
	parked_at BIGINT NOT NULL,
	KEY by_topic (topic)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`}
}

// The server's error numbers that decide what happens to a transaction.
const (
	errDuplicate        = 1062
	errDuplicateWithKey = 1586
	errLockTimeout      = 1205
	errDeadlock         = 1213
	errRecordChanged    = 1020 // MariaDB with innodb_snapshot_isolation: another transaction was faster
	errShutdown         = 1053
	errKilled           = 1927 // MariaDB
	errSessionKilled    = 3169
	errReadOnlyOption   = 1290 // read_only, super_read_only
	errReadOnlySession  = 1792
	errReadOnlyMode     = 1836 // innodb_read_only
)

func classify(err error) sqldb.Verdict {
	switch {
	case errors.Is(err, driver.ErrBadConn): // by the driver's contract nothing was sent
		return sqldb.Again
	case errors.Is(err, mysql.ErrInvalidConn):
		return sqldb.Lost
	}
	failure, ok := errors.AsType[*mysql.MySQLError](err)
	if !ok {
		return sqldb.Permanent
	}
	switch failure.Number {
	case errDuplicate, errDuplicateWithKey:
		return sqldb.Duplicate
	case errDeadlock, errLockTimeout, errRecordChanged:
		return sqldb.Again
	case errShutdown, errKilled, errSessionKilled:
		return sqldb.Lost
	case errReadOnlyOption, errReadOnlySession, errReadOnlyMode:
		return sqldb.Demoted
	default:
		return sqldb.Permanent
	}
}

// classifyCommit returns Lost for every error that is not known to have rolled back: most say only that something happened
// while the server was committing.
func classifyCommit(err error) sqldb.Verdict {
	if verdict := classify(err); verdict == sqldb.Again || verdict == sqldb.Demoted {
		return verdict
	}
	return sqldb.Lost
}
