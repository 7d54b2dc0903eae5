package servers

import (
	"database/sql"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/testcontainers/testcontainers-go"
)

// PostgresStandby starts a standby of a primary that OwnPostgres has started. It takes no writes until SELECT pg_promote().
func PostgresStandby(t *testing.T, primary *Own) *Own {
	t.Helper()
	allowReplication(t, postgresDSN(primary.Address, "postgres"))
	host, err := primary.server.running.ContainerIP(t.Context())
	require.NoError(t, err)
	s := newPostgres()
	s.request = testcontainers.ContainerRequest{
		Image: s.request.Image,
		User:  "postgres",
		Entrypoint: []string{"sh", "-c", fmt.Sprintf(
			"pg_basebackup -h %s -U postgres -D /tmp/standby -X stream -R -c fast && chmod 700 /tmp/standby && "+
				"exec postgres -D /tmp/standby -c max_connections=500 -c unix_socket_directories=/tmp", host)},
		ExposedPorts: s.request.ExposedPorts,
		WaitingFor:   s.request.WaitingFor,
	}
	return startOwn(t, "PostgreSQL standby", s)
}

// allowReplication lets standbys connect to a server.
func allowReplication(t *testing.T, dsn string) {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	var file string
	require.NoError(t, db.QueryRowContext(t.Context(), "SHOW hba_file").Scan(&file))
	for _, statement := range []string{
		"COPY (SELECT 'host replication all all trust') TO PROGRAM 'cat >> " + file + "'", "SELECT pg_reload_conf()",
	} {
		_, err = db.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
}
