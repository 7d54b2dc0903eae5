package mysqlstore_test

import (
	"fmt"

	"github.com/go-sql-driver/mysql"

	"github.com/feedmill/feedmill/adapters/mysqlstore"
)

// A database that does not hang on dead connections. What the DSN says stays: here 5 seconds to connect.
func ExampleOpen() {
	config, err := mysql.ParseDSN("user:password@tcp(localhost:3306)/blog?interpolateParams=true&timeout=5s")
	if err != nil {
		panic(err)
	}
	db, err := mysqlstore.Open(config)
	if err != nil {
		panic(err)
	}
	defer db.Close()
	store, err := mysqlstore.New(db, mysqlstore.Config{})
	fmt.Println(store != nil, err)
	// Output: true <nil>
}
