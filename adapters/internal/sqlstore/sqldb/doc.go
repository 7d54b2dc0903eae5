// Package sqldb runs transactions on SQL databases: how they begin and end, are retried, and wait for their turn to
// write. It also creates tables. A [Dialect] describes the differences between databases.
package sqldb
