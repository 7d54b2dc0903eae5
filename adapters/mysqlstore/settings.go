package mysqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// settings are the variables of a session, by name in lower case. They differ between servers.
type settings map[string]string

// off reports whether a setting exists and is off.
func (s settings) off(name string) bool { return s[name] == "OFF" || s[name] == "0" }

// on reports whether a setting exists and is on.
func (s settings) on(name string) bool { return s[name] == "ON" || s[name] == "1" }

// readSettings reads the variables that checkConnection needs.
func readSettings(ctx context.Context, db *sql.DB) (settings, error) {
	rows, err := db.QueryContext(ctx, `SHOW SESSION VARIABLES WHERE Variable_name IN ('version', 'character_set_client',
		'max_allowed_packet', 'autocommit', 'log_bin', 'binlog_format', 'transaction_isolation', 'tx_isolation',
		'transaction_read_only', 'tx_read_only', 'innodb_read_only', 'completion_type', 'sql_safe_updates')`)
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	defer rows.Close()
	s := settings{}
	for rows.Next() {
		var name, value string
		if err := rows.Scan(&name, &value); err != nil {
			return nil, fmt.Errorf("read settings: %w", err)
		}
		s[strings.ToLower(name)] = value
	}
	return s, rows.Err()
}

// checkConnection refuses settings with which the store would fail later, or lose data silently.
func checkConnection(ctx context.Context, db *sql.DB, largest int) error {
	s, err := readSettings(ctx, db)
	if err != nil {
		return err
	}
	for _, problem := range []string{
		s.version(), s.characters(), s.packets(largest), s.transactions(), s.binaryLog(), s.writes(),
	} {
		if problem != "" {
			return fmt.Errorf("%w: %s", cqrsfeed.ErrInvalid, problem)
		}
	}
	return nil
}

func (s settings) mariaDB() bool { return strings.Contains(s["version"], "MariaDB") }

// version refuses servers without SKIP LOCKED and JSON_TABLE.
func (s settings) version() string {
	name, least := "MySQL", [2]int{8, 0}
	if s.mariaDB() {
		name, least = "MariaDB", [2]int{10, 6}
	}
	numbers := strings.SplitN(s["version"], ".", 3)
	if len(numbers) < 3 {
		return "" // unknown; the statements fail if it is too old
	}
	major, majorErr := strconv.Atoi(numbers[0])
	minor, minorErr := strconv.Atoi(numbers[1])
	if majorErr != nil || minorErr != nil || major > least[0] || major == least[0] && minor >= least[1] {
		return ""
	}
	return fmt.Sprintf("the server is %s %s; the store needs %d.%d or later (SELECT … SKIP LOCKED)", name, s["version"], least[0], least[1])
}

// characters refuses a character set that lacks characters: the server would replace them by question marks.
func (s settings) characters() string {
	if charset := s["character_set_client"]; charset != "utf8mb4" {
		return "the connection has the character set " + charset + "; remove charset from the DSN, or set it to utf8mb4"
	}
	return ""
}

func (s settings) packets(largest int) string {
	if packet, err := strconv.Atoi(s["max_allowed_packet"]); err == nil && packet < largest {
		return fmt.Sprintf("the server's max_allowed_packet is %d bytes; set it to at least %d, or the store's MaxEventBytes to less",
			packet, largest)
	}
	return ""
}

// transactions refuses sessions in which transactions begin or end unexpectedly, or reads return uncommitted rows.
func (s settings) transactions() string {
	if s.off("autocommit") {
		return "autocommit is off, so that reads would open transactions that are never ended; remove autocommit from the DSN, " +
			"or set it to 1 (SET GLOBAL autocommit = 1 on the server)"
	}
	if s["completion_type"] != "NO_CHAIN" {
		return "completion_type is " + s["completion_type"] + ", so that a COMMIT would begin another transaction or end the session; set it to NO_CHAIN"
	}
	if s.on("sql_safe_updates") && s.mariaDB() {
		return "sql_safe_updates is on, with which MariaDB refuses to delete published messages; set it to 0 in the DSN"
	}
	for _, name := range []string{"transaction_isolation", "tx_isolation"} {
		if s[name] == "READ-UNCOMMITTED" {
			return name + " is READ-UNCOMMITTED, so that reads would return uncommitted rows; set it to READ-COMMITTED " +
				"or REPEATABLE-READ, in the DSN or on the server"
		}
	}
	return ""
}

// binaryLog refuses the format with which InnoDB accepts no changes at READ COMMITTED, which the outbox needs.
func (s settings) binaryLog() string {
	if s.on("log_bin") && s["binlog_format"] == "STATEMENT" {
		return "the server writes its binary log with binlog_format STATEMENT, with which messages cannot be removed from the " +
			"outbox; set binlog_format to ROW or MIXED"
	}
	return ""
}

// writes refuses read-only servers and sessions. Whether read_only applies to the user is known only when a row is
// written: see Store.EnsureSchema.
func (s settings) writes() string {
	for _, name := range []string{"transaction_read_only", "tx_read_only", "innodb_read_only"} {
		if s.on(name) {
			return name + " is on; use a server and a session that accept writes"
		}
	}
	return ""
}

// checkTable refuses a table without transactions, and columns that lose characters or compare them inexactly.
func checkTable(ctx context.Context, db *sql.DB, table, columns string) error {
	var engine string
	err := db.QueryRowContext(ctx,
		"SELECT COALESCE(engine, '') FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?", table).Scan(&engine)
	if err != nil {
		return fmt.Errorf("read the engine of table %s: %w", table, err)
	}
	if engine != "InnoDB" {
		return fmt.Errorf("%w: table %s has the engine %s, which has no transactions; convert it with ALTER TABLE %s ENGINE = InnoDB",
			cqrsfeed.ErrInvalid, table, engine, quote(table))
	}
	rows, err := db.QueryContext(ctx, "SELECT column_name, collation_name FROM information_schema.columns "+
		"WHERE table_schema = DATABASE() AND table_name = ? AND collation_name IS NOT NULL", table)
	if err != nil {
		return fmt.Errorf("read the columns of table %s: %w", table, err)
	}
	defer rows.Close()
	for rows.Next() {
		var column, collation string
		if err := rows.Scan(&column, &collation); err != nil {
			return fmt.Errorf("read the columns of table %s: %w", table, err)
		}
		if slices.Contains(strings.Split(columns, ", "), column) && collation != "utf8mb4_bin" {
			return fmt.Errorf("%w: column %s of table %s has the collation %s, it must be utf8mb4_bin; "+
				"see SHOW CREATE TABLE of a database where EnsureSchema ran", cqrsfeed.ErrInvalid, column, table, collation)
		}
	}
	return rows.Err()
}
