// Package sqlstore is the store of one SQL database: its outbox and its schema. Its folders implement
// cqrsfeed.Repository, outbox.Outbox, projector.Projection and readmodel.Store on database/sql, once for all SQL databases.
// Applications import mysqlstore, postgresstore or sqlitestore, whose types are aliases of the types here. Each package of this
// list imports only later ones:
//
//   - repository: creating (alone and together), importing, changing and reading items;
//   - feedstore: feeds;
//   - tableprojection: projections on tables of the application's own;
//   - sqlstore: the Store, its names and tables, and the application's own transactions;
//   - outbox: adding, draining, parking and counting messages;
//   - sqldb: how a transaction runs, is retried, and waits for its turn to write, and the differences between
//     databases;
//   - groupcommit: how callers come to share a transaction.
//
// sqlstoretest has the fixture of their tests.
package sqlstore
