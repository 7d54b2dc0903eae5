package servers

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver of wait.ForSQL
	"github.com/moby/moby/api/types/network"
	"github.com/stretchr/testify/require"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

const (
	postgresPort  = "5432/tcp"
	pgBouncerPort = "6432/tcp"
)

var (
	postgresServer     = newPostgres("-c", unsafe) //nolint:gochecknoglobals // one server a process
	safePostgresServer = newPostgres()             //nolint:gochecknoglobals // one server a process
	postgres15Server   = newPostgres15()           //nolint:gochecknoglobals // one server a process
	pgBouncerServer    = newPgBouncer()            //nolint:gochecknoglobals // one server a process
)

// unsafe makes a server fast that no test kills.
const unsafe = "fsync=off"

func newPostgres(flags ...string) *server {
	return postgres(image("FEEDMILL_POSTGRES_IMAGE", "postgres:18"), flags...)
}

func newPostgres15() *server {
	return postgres(image("FEEDMILL_POSTGRES15_IMAGE", "postgres:15"), "-c", unsafe)
}

func postgres(image string, flags ...string) *server {
	return &server{port: postgresPort, request: testcontainers.ContainerRequest{
		Image:        image,
		Env:          map[string]string{"POSTGRES_HOST_AUTH_METHOD": "trust"},
		Cmd:          append([]string{"-c", "max_connections=500"}, flags...),
		ExposedPorts: []string{postgresPort},
		WaitingFor:   waitForPostgres(postgresPort),
	}}
}

func waitForPostgres(port string) wait.Strategy {
	return wait.ForSQL(port, "pgx", func(host string, port network.Port) string {
		return postgresDSN(fmt.Sprintf("%s:%s", host, port.Port()), "postgres")
	}).WithStartupTimeout(startTimeout)
}

// newPgBouncer is started by PgBouncer, which knows the server.
func newPgBouncer() *server {
	return &server{port: pgBouncerPort, request: testcontainers.ContainerRequest{
		Image:        image("FEEDMILL_PGBOUNCER_IMAGE", "edoburu/pgbouncer:v1.24.1-p1"),
		Cmd:          []string{"pgbouncer", "/etc/pgbouncer/pgbouncer.ini"},
		ExposedPorts: []string{pgBouncerPort},
		WaitingFor:   waitForPostgres(pgBouncerPort),
	}}
}

// pgBouncerConfig is the configuration of a PgBouncer in transaction mode. Versions before 1.21 do not start with the setting
// max_prepared_statements, so it has the default. No test depends on it.
const pgBouncerConfig = `[databases]
* = host=%s port=5432 user=postgres
[pgbouncer]
listen_addr = *
listen_port = 6432
auth_type = any
pool_mode = transaction
max_client_conn = 2000
default_pool_size = 8
server_idle_timeout = 5
unix_socket_dir =
`

// Postgres returns the DSN of an empty database on a PostgreSQL 18 server.
func Postgres(tb testing.TB) string {
	tb.Helper()
	return freshPostgres(tb, postgresServer)
}

// SafePostgres is Postgres on a server that waits for the disk, for benchmarks.
func SafePostgres(tb testing.TB) string {
	tb.Helper()
	return freshPostgres(tb, safePostgresServer)
}

// Postgres15 returns the DSN of an empty database on a PostgreSQL 15 server.
func Postgres15(tb testing.TB) string {
	tb.Helper()
	return freshPostgres(tb, postgres15Server)
}

// PgBouncer returns the DSN of an empty database of Postgres15 through a PgBouncer in transaction mode. The DSN has no
// setting for that.
func PgBouncer(tb testing.TB) string {
	tb.Helper()
	dsn, err := url.Parse(Postgres15(tb))
	require.NoError(tb, err)
	startedMu.Lock()
	if len(pgBouncerServer.request.Files) == 0 {
		host, err := postgres15Server.running.ContainerIP(tb.Context())
		require.NoError(tb, err)
		pgBouncerServer.request.Files = []testcontainers.ContainerFile{{
			Reader:            strings.NewReader(fmt.Sprintf(pgBouncerConfig, host)),
			ContainerFilePath: "/etc/pgbouncer/pgbouncer.ini",
			FileMode:          0o644,
		}}
	}
	startedMu.Unlock()
	dsn.Host = pgBouncerServer.address(tb)
	return dsn.String()
}

func postgresDSN(address, database string) string {
	return "postgres://postgres@" + address + "/" + database + "?sslmode=disable"
}

func freshPostgres(tb testing.TB, s *server) string {
	tb.Helper()
	address := s.address(tb)
	db, err := sql.Open("pgx", postgresDSN(address, "postgres"))
	require.NoError(tb, err)
	defer func() { require.NoError(tb, db.Close()) }()
	name := freshName()
	_, err = db.ExecContext(context.WithoutCancel(tb.Context()), "CREATE DATABASE "+name)
	require.NoError(tb, err)
	return postgresDSN(address, name)
}
