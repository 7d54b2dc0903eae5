// Package sqlstore is the one implementation of cqrsfeed.Repository and outbox.Outbox on database/sql. The
// packages mysqlstore and sqlitestore give it a [Dialect] and are what applications import.
package sqlstore
