package postgresstore_test

import (
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/feedmill/feedmill/adapters/postgresstore"
)

// A database that does not hang on dead connections, and keeps its connections open.
func ExampleOpen() {
	config, err := pgx.ParseConfig("postgres://user:password@localhost/blog")
	if err != nil {
		panic(err)
	}
	db := postgresstore.Open(config)
	defer db.Close()
	fmt.Println(db.Stats().MaxOpenConnections)
	// Output: 20
}
