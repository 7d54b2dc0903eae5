package faults_test

import (
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feedmill/feedmill/adapters/mysqlstore"
	"github.com/feedmill/feedmill/adapters/postgresstore"
	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/examples/microblog/post"
	"github.com/feedmill/feedmill/integration/internal/servers"
)

// TestKilled kills the microblog and each of its servers, and then stops each server in an orderly way.
func TestKilled(t *testing.T) {
	t.Parallel()
	mysql, dsn := servers.OwnMySQL(t)
	mongo, uri := servers.OwnMongo(t)
	nats, url := servers.OwnNATS(t)
	m := startMicroblog(t, "-mysql-dsn", dsn, "-mongo-uri", uri, "-nats-url", url)
	m.awaitReady(t)
	s := newStage(t, m.url, openPosts(t, dsn))

	faults := []fault{{name: "kill of the microblog", begin: m.kill, end: m.start}}
	all := []*servers.Own{mysql, mongo, nats}
	for _, server := range all {
		faults = append(faults, fault{
			name: "kill of " + server.String(), begin: server.Kill, lasts: 500 * time.Millisecond, end: server.Start, harmless: server != mysql,
		})
	}
	for _, server := range all {
		faults = append(faults, fault{name: "stop of " + server.String(), begin: server.Stop, end: server.Start, harmless: server != mysql})
	}
	s.run(t, faults)
}

// TestKilledOnPostgres kills and stops a microblog that has posts and feeds in PostgreSQL, and its server.
func TestKilledOnPostgres(t *testing.T) {
	t.Parallel()
	postgres, dsn := servers.OwnPostgres(t)
	m := startMicroblog(t, "-postgres-dsn", dsn)
	m.awaitReady(t)
	posts, _ := openPostgresPosts(t, dsn)
	s := newStage(t, m.url, posts)
	s.queues = 1
	s.run(t, []fault{
		{name: "kill of the microblog", begin: m.kill, end: m.start},
		{name: "kill of PostgreSQL", begin: postgres.Kill, lasts: 500 * time.Millisecond, end: postgres.Start},
		{name: "stop of PostgreSQL", begin: postgres.Stop, end: postgres.Start},
	})
}

// openPosts opens the write model of a microblog.
func openPosts(t *testing.T, dsn string) cqrsfeed.Repository[post.Post] {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	store, err := mysqlstore.New(db, mysqlstore.Config{})
	require.NoError(t, err)
	posts, err := mysqlstore.NewRepository[post.Post](store, "post")
	require.NoError(t, err)
	return posts
}

// openPostgresPosts opens the write model of a microblog on PostgreSQL.
func openPostgresPosts(t *testing.T, dsn string) (cqrsfeed.Repository[post.Post], *sql.DB) {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	store, err := postgresstore.New(db, postgresstore.Config{})
	require.NoError(t, err)
	posts, err := postgresstore.NewRepository[post.Post](store, "post")
	require.NoError(t, err)
	return posts, db
}
