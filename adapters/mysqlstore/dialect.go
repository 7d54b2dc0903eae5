package mysqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/go-sql-driver/mysql"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore"
	"github.com/feedmill/feedmill/cqrsfeed"
)

func dialect() sqlstore.Dialect {
	return sqlstore.Dialect{
		Name:        "mysqlstore",
		Quote:       quote,
		BeginChange: []string{"START TRANSACTION"},
		// At REPEATABLE READ the locking read would also lock the gaps between the rows and keep writers
		// from adding to the outbox.
		BeginDrain: []string{"SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "START TRANSACTION"},
		// A row that somebody else has inserted and not committed has to be seen, not waited for.
		BeginShared:     []string{"SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED", "START TRANSACTION"},
		LockRow:         " FOR UPDATE",
		SkipLocked:      " FOR UPDATE SKIP LOCKED",
		DeleteIDs:       deleteIDs,
		Classify:        classify,
		ClassifyCommit:  classifyCommit,
		NoTransaction:   func(error) bool { return false }, // ROLLBACK without a transaction is no error
		CheckConnection: checkConnection,
		ItemsSchema:     itemsSchema,
		OutboxSchema:    outboxSchema,
		ParkedSchema:    parkedSchema,
	}
}

func quote(table string) string { return "`" + table + "`" }

// deleteIDs looks each id up. A plain IN list that names most of a short table would be carried out as a scan
// of the whole table, which waits for the rows that other relays hold, and they for ours: a deadlock.
func deleteIDs(table, ids string) string {
	return "DELETE o FROM JSON_TABLE('[" + ids + "]', '$[*]' COLUMNS (id BIGINT PATH '$')) AS k" +
		" STRAIGHT_JOIN " + table + " AS o ON o.id = k.id"
}

// checkConnection refuses a DSN with a charset of fewer characters, of which the server would make question marks.
func checkConnection(ctx context.Context, db *sql.DB) error {
	var charset string
	if err := db.QueryRowContext(ctx, "SELECT @@character_set_client").Scan(&charset); err != nil {
		return err
	}
	if charset != "utf8mb4" {
		return fmt.Errorf("%w: the connection has the character set %s: leave charset out of the DSN, or make it utf8mb4",
			cqrsfeed.ErrInvalid, charset)
	}
	return nil
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

func outboxSchema(table string) []string {
	return []string{`CREATE TABLE IF NOT EXISTS ` + table + ` (
	id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
	uuid VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
	topic VARBINARY(255) NOT NULL,
	metadata LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
	payload LONGBLOB NOT NULL,
	created_at BIGINT NOT NULL,
	KEY by_topic (topic, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`}
}

// parkedSchema has the columns of the queue, and why its messages are not there any more.
func parkedSchema(table string) []string {
	return []string{`CREATE TABLE IF NOT EXISTS ` + table + ` (
	id BIGINT NOT NULL PRIMARY KEY,
	uuid VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
	topic VARBINARY(255) NOT NULL,
	metadata LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
	payload LONGBLOB NOT NULL,
	created_at BIGINT NOT NULL,
	reason TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
	attempts INT NOT NULL,
	parked_at BIGINT NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`}
}

// The server's error numbers that mean something to a transaction.
const (
	errDuplicate        = 1062
	errDuplicateWithKey = 1586
	errLockTimeout      = 1205
	errDeadlock         = 1213
	errRecordChanged    = 1020 // MariaDB with innodb_snapshot_isolation: somebody was faster
	errShutdown         = 1053
	errKilled           = 1927 // MariaDB
	errSessionKilled    = 3169
)

func classify(err error) sqlstore.Verdict {
	switch {
	case errors.Is(err, driver.ErrBadConn): // the driver vouches that nothing was sent
		return sqlstore.Again
	case errors.Is(err, mysql.ErrInvalidConn):
		return sqlstore.Lost
	}
	failure, ok := errors.AsType[*mysql.MySQLError](err)
	if !ok {
		return sqlstore.Permanent
	}
	switch failure.Number {
	case errDuplicate, errDuplicateWithKey:
		return sqlstore.Duplicate
	case errDeadlock, errLockTimeout, errRecordChanged:
		return sqlstore.Again
	case errShutdown, errKilled, errSessionKilled:
		return sqlstore.Lost
	default:
		return sqlstore.Permanent
	}
}

// classifyCommit takes every failure for unknown that is not known to have rolled back: that it happened
// while the server was committing is all that most of them say.
func classifyCommit(err error) sqlstore.Verdict {
	if classify(err) == sqlstore.Again {
		return sqlstore.Again
	}
	return sqlstore.Lost
}
