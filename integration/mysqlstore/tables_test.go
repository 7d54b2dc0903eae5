package mysqlstore_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
)

// exercise uses every statement of both stores.
func exercise(t *testing.T, repository *mysqlstore.Repository[cqrsfeedtest.Body], outbox *mysqlstore.Outbox) {
	t.Helper()
	ctx := t.Context()
	for _, id := range []string{"one", "two"} {
		_, err := repository.Create(ctx, id, cqrsfeedtest.Body{Text: "😀"})
		require.NoError(t, err)
	}
	_, err := repository.Update(ctx, "one", setText("new"))
	require.NoError(t, err)
	_, err = repository.Delete(ctx, "two", cqrsfeed.IfVersion(1))
	require.NoError(t, err)
	items, err := repository.Scan(ctx, "olf", 10)
	require.NoError(t, err)
	require.Len(t, items, 2)
	item, err := repository.Get(ctx, "one")
	require.NoError(t, err)
	require.Equal(t, "new", item.Body.Text)

	refuseFirst(t, outbox)
	parked, err := outbox.Parked(ctx, "", 10)
	require.NoError(t, err)
	require.Len(t, parked, 1)
	backlog, err := outbox.Backlog(ctx)
	require.NoError(t, err)
	require.Equal(t, int64(1), backlog.Parked)
	require.Zero(t, backlog.Waiting)
	returned, err := outbox.Unpark(ctx, parked[0].ID)
	require.NoError(t, err)
	require.Equal(t, []string{parked[0].ID}, returned)
	refuseFirst(t, outbox)
	parked, err = outbox.Parked(ctx, "", 10)
	require.NoError(t, err)
	require.Len(t, parked, 1)
	discarded, err := outbox.Discard(ctx, parked[0].ID)
	require.NoError(t, err)
	require.Equal(t, []string{parked[0].ID}, discarded)
	require.Zero(t, outboxLength(t, outbox))
}

// TestTablesOfAnyName, also of one that is a word of SQL or as long as it may be.
func TestTablesOfAnyName(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		db := openDB(t, s.fresh(t))
		for prefix, name := range map[string]string{
			"Order": "select", "": "key", "_": "__", "o1": "e1", strings.Repeat("q", 20): strings.Repeat("i", 20),
		} {
			store, err := mysqlstore.New(db, mysqlstore.Config{TablePrefix: prefix})
			require.NoError(t, err)
			repository, err := mysqlstore.NewRepository[cqrsfeedtest.Body](store, name)
			require.NoError(t, err)
			require.NoError(t, store.EnsureSchema(t.Context()))
			exercise(t, repository, store.Outbox())
		}
		for _, hostile := range []string{"a`b", "a` (id INT); DROP TABLE `x", "a b", "a.b", "a-b", "ä", "a\x00", "a'", strings.Repeat("q", 41)} {
			_, err := mysqlstore.NewRepository[string](newStore(t, db), hostile)
			require.ErrorIs(t, err, cqrsfeed.ErrInvalid, "%q", hostile)
		}
	})
}

// firstVersion is what EnsureSchema of the first version created.
func firstVersion() []string {
	return []string{`CREATE TABLE outbox (
	id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
	uuid VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
	topic VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
	metadata LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
	payload LONGBLOB NOT NULL,
	created_at BIGINT NOT NULL,
	KEY by_topic (topic, id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`, `CREATE TABLE item (
	id VARBINARY(128) NOT NULL PRIMARY KEY,
	version BIGINT NOT NULL,
	body LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
	created_at BIGINT NOT NULL,
	updated_at BIGINT NOT NULL,
	deleted BOOLEAN NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`}
}

// What a process of the first version does to the tables.
const (
	firstVersionInsert = "INSERT INTO outbox (uuid, topic, metadata, payload, created_at) VALUES (?, ?, ?, ?, ?)"
	firstVersionTake   = "SELECT id, uuid, topic, metadata, payload FROM outbox ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
	firstVersionItem   = "INSERT INTO item (id, version, body, created_at, updated_at, deleted) VALUES ('old', 3, '{\"text\":\"old\"}', 1, 2, FALSE)"
)

// TestTablesOfTheFirstVersionAreUpgraded in place: what is in them stays, and processes of that version go on working.
func TestTablesOfTheFirstVersionAreUpgraded(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		db := openDB(t, s.fresh(t))
		for _, statement := range append(firstVersion(), firstVersionItem) {
			_, err := db.ExecContext(t.Context(), statement)
			require.NoError(t, err)
		}
		addAsBefore := func(uuid string) {
			_, err := db.ExecContext(t.Context(), firstVersionInsert, uuid, "item-created", `{"name":"ItemCreated"}`, []byte("{}"), 1_000_000)
			require.NoError(t, err)
		}
		addAsBefore("before")

		store := newStore(t, db)
		repository, err := mysqlstore.NewRepository[cqrsfeedtest.Body](store, "item")
		require.NoError(t, err)
		outbox := store.Outbox()
		var upgrading sync.WaitGroup
		for range 4 { // processes that start at once
			upgrading.Go(func() { assert.NoError(t, store.EnsureSchema(t.Context())) })
		}
		upgrading.Wait()

		addAsBefore("beside")
		var id int64
		var uuid, topic, metadata, payload string
		require.NoError(t, db.QueryRowContext(t.Context(), firstVersionTake).Scan(&id, &uuid, &topic, &metadata, &payload))
		assert.Equal(t, "before", uuid)
		item, err := repository.Update(t.Context(), "old", setText("new"))
		require.NoError(t, err)
		assert.Equal(t, int64(4), item.Version)
		backlog, err := outbox.Backlog(t.Context())
		require.NoError(t, err)
		assert.Equal(t, int64(3), backlog.Waiting)
		assert.Equal(t, int64(1), backlog.Oldest.Unix())
		assert.Equal(t, 3, outboxLength(t, outbox))
		exercise(t, repository, outbox)
	})
}

// TestATableThatIsMissingLosesNothing: the library was replaced and EnsureSchema not called. What was published is
// deleted all the same, and what was refused stays.
func TestATableThatIsMissingLosesNothing(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		db := openDB(t, s.fresh(t))
		for _, statement := range firstVersion() {
			_, err := db.ExecContext(t.Context(), statement)
			require.NoError(t, err)
		}
		for _, uuid := range []string{"refused", "published"} {
			_, err := db.ExecContext(t.Context(), firstVersionInsert, uuid, "t", "{}", []byte(""), 1)
			require.NoError(t, err)
		}
		store := newStore(t, db)
		outbox := store.Outbox()
		taken, err := drainRefusingFirst(t, outbox)
		require.ErrorContains(t, err, "does EnsureSchema run at start?")
		assert.Equal(t, 2, taken)
		require.NoError(t, store.EnsureSchema(t.Context()))
		taken, err = drainRefusingFirst(t, outbox)
		require.NoError(t, err)
		assert.Equal(t, 1, taken)
		parked, err := outbox.Parked(t.Context(), "", 10)
		require.NoError(t, err)
		require.Len(t, parked, 1)
		assert.Equal(t, "refused", parked[0].Message.UUID)
	})
}

// TestAUserWithoutTheRightToCreateTables can call EnsureSchema where somebody else has created them, and do all the rest.
func TestAUserWithoutTheRightToCreateTables(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		dsn := s.fresh(t)
		admin := openDB(t, dsn)
		config, err := mysql.ParseDSN(dsn)
		require.NoError(t, err)
		for _, statement := range []string{
			fmt.Sprintf("CREATE USER app_%s IDENTIFIED BY 'secret'", config.DBName),
			fmt.Sprintf("GRANT SELECT, INSERT, UPDATE, DELETE ON %s.* TO app_%s", config.DBName, config.DBName),
		} {
			_, err := admin.ExecContext(t.Context(), statement)
			require.NoError(t, err)
		}
		db := openDB(t, withSettings(t, dsn, func(c *mysql.Config) { c.User, c.Passwd = "app_"+c.DBName, "secret" }))
		require.ErrorContains(t, newStore(t, db).EnsureSchema(t.Context()), "mysqlstore: ensure schema: create table outbox: ")
		openRepository(t, admin)
		repository, outbox := openRepository(t, db)
		exercise(t, repository, outbox)
	})
}
