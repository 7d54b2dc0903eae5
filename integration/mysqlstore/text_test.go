package mysqlstore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest"
)

// TestTimesAreTheSameInEveryZone: one application writes, and others whose driver and session have other ideas of times
// read the same.
func TestTimesAreTheSameInEveryZone(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		dsn := s.fresh(t)
		writer, outbox := openRepository(t, openDB(t, dsn))
		before := time.Now()
		created, err := writer.Create(t.Context(), "one", cqrsfeedtest.Body{})
		require.NoError(t, err)
		assert.WithinRange(t, created.CreatedAt, before.Add(-time.Millisecond), time.Now())
		var added time.Time
		for _, parseTime := range []bool{false, true} {
			for _, zone := range []string{"-12:00", "+00:00", "+05:45", "+13:00"} {
				location, err := time.LoadLocation("Asia/Kathmandu")
				require.NoError(t, err)
				reader, readerOutbox := openRepository(t, openDB(t, withSettings(t, dsn, func(c *mysql.Config) {
					c.ParseTime, c.Loc = parseTime, location
					c.Params = map[string]string{"time_zone": "'" + zone + "'"}
				})))
				item, err := reader.Get(t.Context(), "one")
				require.NoError(t, err)
				assert.Equal(t, created, item, "parseTime %t, time_zone %s", parseTime, zone)
				backlog, err := readerOutbox.Backlog(t.Context())
				require.NoError(t, err)
				if added.IsZero() {
					added = backlog.Oldest
				}
				assert.Equal(t, added, backlog.Oldest)
			}
		}
		assert.WithinRange(t, added, before.Add(-time.Millisecond), time.Now())
		assert.Equal(t, 1, outboxLength(t, outbox))
	})
}

// TestIdsThatACollationWouldMix are ids of different items, in a database whose collation knows no difference.
func TestIdsThatACollationWouldMix(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		dsn := s.fresh(t)
		admin := openDB(t, dsn)
		config, err := mysql.ParseDSN(dsn)
		require.NoError(t, err)
		_, err = admin.ExecContext(t.Context(), "ALTER DATABASE "+config.DBName+" CHARACTER SET latin1 COLLATE latin1_swedish_ci")
		require.NoError(t, err)
		repository, outbox := openRepository(t, openDB(t, withSettings(t, dsn, func(c *mysql.Config) { c.Collation = "utf8mb4_unicode_ci" })))
		ids := []string{
			"resume", "Resume", "RESUME", "résumé", "re\u0301sume\u0301", "resume ", "resume  ", " resume", "ｒｅｓｕｍｅ",
			"straße", "strasse", "ı", "i", "I", "İ", "😀", "😁", "😀\ufe0f", "ﬁ", "fi", "1", "01", "1.0", "٣", "3", "a\u200db", "ab", "%", "_",
		}
		for _, id := range ids {
			_, err := repository.Create(t.Context(), id, cqrsfeedtest.Body{Text: id})
			require.NoError(t, err, "create %q", id)
		}
		for _, id := range ids {
			item, err := repository.Update(t.Context(), id, func(body *cqrsfeedtest.Body) error {
				assert.Equal(t, id, body.Text)
				return nil
			})
			require.NoError(t, err, "update %q", id)
			assert.Equal(t, int64(2), item.Version)
		}
		assert.Equal(t, 2*len(ids), outboxLength(t, outbox))
	})
}

// TestAConnectionThatCannotCarryEveryCharacter is found when the schema is ensured, and not when somebody writes one.
func TestAConnectionThatCannotCarryEveryCharacter(t *testing.T) {
	t.Parallel()
	onEachServer(t, func(t *testing.T, s server) {
		t.Helper()
		dsn := s.fresh(t)
		for _, charset := range []string{"utf8mb3", "latin1"} {
			db := openDB(t, dsn+"?charset="+charset)
			err := newStore(t, db).EnsureSchema(t.Context())
			require.ErrorIs(t, err, cqrsfeed.ErrInvalid)
			require.ErrorContains(t, err, "character set "+charset)
		}
		repository, _ := openRepository(t, openDB(t, dsn+"?charset=utf8mb4"))
		_, err := repository.Create(t.Context(), strings.Repeat("😀", 32), cqrsfeedtest.Body{Text: "😀"})
		require.NoError(t, err)
	})
}
