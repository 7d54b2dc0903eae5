package mysqlstore_test

import (
	"database/sql"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// TestSettingsThatAreRefused: with them the store would take messages and never publish them, or would read what is not there.
// EnsureSchema says what to set.
func TestSettingsThatAreRefused(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		type setting struct{ value, problem string }
		refused := map[string]setting{
			"autocommit": {"0", "autocommit is off"},
			s.isolation:  {"'READ-UNCOMMITTED'", s.isolation + " is READ-UNCOMMITTED"},
			s.isolation[:len(s.isolation)-9] + "read_only": {"1", "read_only is on"},
		}
		refused["completion_type"] = setting{"'CHAIN'", "completion_type is CHAIN"}
		if s.name == "MariaDB" {
			refused["sql_safe_updates"] = setting{"1", "sql_safe_updates is on"}
		}
		if hasBinaryLog(t, openDB(t, s.fresh(t))) {
			refused["binlog_format"] = setting{"'STATEMENT'", "set binlog_format to ROW or MIXED"}
		}
		for name, c := range refused {
			dsn := withSettings(t, s.fresh(t), func(config *mysql.Config) { config.Params = map[string]string{name: c.value} })
			err := newStore(t, openDB(t, dsn)).EnsureSchema(t.Context())
			require.ErrorIs(t, err, cqrsfeed.ErrInvalid, name)
			require.ErrorContains(t, err, c.problem)
		}
	})
}

func hasBinaryLog(t *testing.T, db *sql.DB) bool {
	t.Helper()
	var on bool
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT @@log_bin").Scan(&on))
	return on
}

// TestSettingsThatDoNotMatter is about those that one could suspect.
func TestSettingsThatDoNotMatter(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		for setting, value := range map[string]string{
			"sql_mode": "''", "sql_select_limit": "1000", "binlog_format": "'MIXED'",
			"foreign_key_checks": "0", "unique_checks": "0", "innodb_lock_wait_timeout": "1",
			"time_zone": "'+13:00'", "character_set_results": "latin1", s.isolation: "'READ-COMMITTED'",
		} {
			t.Run(setting, func(t *testing.T) {
				t.Parallel()
				dsn := withSettings(t, s.fresh(t), func(config *mysql.Config) { config.Params = map[string]string{setting: value} })
				repository, outbox := openRepository(t, openDB(t, dsn))
				exercise(t, repository, outbox)
			})
		}
	})
}

// TestTablesThatAreRefused are those that a tool has converted.
func TestTablesThatAreRefused(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		for change, problem := range map[string]string{
			"ALTER TABLE outbox ENGINE = MyISAM":                                                            "ALTER TABLE `outbox` ENGINE = InnoDB",
			"ALTER TABLE item CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci":                  "column body of table item has the collation utf8mb4_general_ci",
			"ALTER TABLE outbox_parked MODIFY metadata LONGTEXT CHARACTER SET latin1 NOT NULL":              "column metadata of table outbox_parked has the collation latin1",
			"ALTER TABLE outbox MODIFY topic VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci": "column topic of table outbox",
		} {
			db := openDB(t, s.fresh(t))
			openRepository(t, db)
			_, err := db.ExecContext(t.Context(), change)
			require.NoError(t, err)
			store, err := reopen(db)
			require.NoError(t, err)
			err = store.EnsureSchema(t.Context())
			require.ErrorIs(t, err, cqrsfeed.ErrInvalid, change)
			require.ErrorContains(t, err, problem)
		}
	})
}

// TestATableWithoutTheIndexOfTopicsIsRefused: relays would fail as soon as one topic fails.
func TestATableWithoutTheIndexOfTopicsIsRefused(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		db := openDB(t, s.fresh(t))
		openRepository(t, db)
		_, err := db.ExecContext(t.Context(), "ALTER TABLE outbox DROP KEY by_topic")
		require.NoError(t, err)
		err = newStore(t, db).EnsureSchema(t.Context())
		require.ErrorContains(t, err, "table outbox, which must have the keys that EnsureSchema creates")
		require.ErrorContains(t, err, "by_topic")
	})
}

// TestAServerThatTakesNoWritesIsRefused when EnsureSchema asks it, although it has all tables.
func TestAServerThatTakesNoWritesIsRefused(t *testing.T) {
	t.Parallel()
	onEachOwnServer(t, func(t *testing.T, dsn string) {
		t.Helper()
		openRepository(t, openDB(t, dsn))
		makeOrdinaryUser(t, dsn)
		demote(t, dsn)
		err := newStore(t, openDB(t, ordinaryUser(t, dsn))).EnsureSchema(t.Context())
		require.ErrorContains(t, err, "the server takes no writes; connect to the primary")
	})
}

// TestPacketsThatAreTooSmallAreRefused: with them a large write would fail although its event is not too large.
func TestPacketsThatAreTooSmallAreRefused(t *testing.T) {
	t.Parallel()
	onEachOwnServer(t, func(t *testing.T, dsn string) {
		t.Helper()
		_, err := openDB(t, dsn).ExecContext(t.Context(), "SET GLOBAL max_allowed_packet = 2097152")
		require.NoError(t, err)
		err = newStore(t, openDB(t, dsn)).EnsureSchema(t.Context())
		require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
		require.ErrorContains(t, err, "max_allowed_packet is 2097152 bytes; set it to at least")
	})
}
