package servers

import (
	"database/sql"
	"fmt"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/moby/moby/api/types/network"
	"github.com/stretchr/testify/require"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

const rootPassword = "feedmill"

const sqlPort = "3306/tcp"

var (
	mysqlServer   = newMySQL()   //nolint:gochecknoglobals // one server a process
	mariadbServer = newMariaDB() //nolint:gochecknoglobals // one server a process
)

func newMySQL() *server { return sqlServer(image("FEEDMILL_MYSQL_IMAGE", "mysql:8.4"), "MYSQL") }

func newMariaDB() *server {
	return sqlServer(image("FEEDMILL_MARIADB_IMAGE", "mariadb:10.11"), "MARIADB")
}

func sqlServer(image, vendor string) *server {
	return &server{port: sqlPort, request: testcontainers.ContainerRequest{
		Image:        image,
		Env:          map[string]string{vendor + "_ROOT_PASSWORD": rootPassword},
		ExposedPorts: []string{sqlPort},
		WaitingFor: wait.ForSQL(sqlPort, "mysql", func(host string, port network.Port) string {
			return rootConfig(fmt.Sprintf("%s:%s", host, port.Port())).FormatDSN()
		}).WithStartupTimeout(startTimeout),
	}}
}

// MySQL returns the DSN of an empty database on a MySQL server.
func MySQL(tb testing.TB) string {
	tb.Helper()
	return freshDatabase(tb, mysqlServer)
}

// MariaDB returns the DSN of an empty database on a MariaDB server.
func MariaDB(tb testing.TB) string {
	tb.Helper()
	return freshDatabase(tb, mariadbServer)
}

func rootConfig(address string) *mysql.Config {
	config := mysql.NewConfig()
	config.User, config.Passwd, config.Net, config.Addr = "root", rootPassword, "tcp", address
	return config
}

func freshDatabase(tb testing.TB, s *server) string {
	tb.Helper()
	config := rootConfig(s.address(tb))
	db, err := sql.Open("mysql", config.FormatDSN())
	require.NoError(tb, err)
	defer func() { require.NoError(tb, db.Close()) }()

	name := freshName()
	_, err = db.ExecContext(tb.Context(), "CREATE DATABASE "+name)
	require.NoError(tb, err)
	config.DBName = name
	return config.FormatDSN()
}
