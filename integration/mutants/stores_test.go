package mutants_test

// mutant is a package without one of its mechanisms.
type mutant struct {
	without string // the mechanism
	file    string // of the package
	text    string // that the file has exactly once
	instead string // of the text
	within  int    // how many crashes the tests may need to notice
	test    string // a directed test that notices, in place of the random ones
}

// store is a package with mechanisms, and the package whose tests of crashes hold it to its promises.
type store struct {
	source string // folder of the sources
	module string // folder of the module of the tests
	tests  string // package of the tests, in the module
	run    string // which of its tests
	intact int    // how many crashes the store as it is has to come through
	lacks  []mutant
}

// stores are the feed stores, and what brings changes to them: the transactions and the outbox of the SQL stores, and the
// projector. They are told in folders below the root of the repository. The numbers of crashes are several times what was
// needed.
func stores() map[string]store {
	return map[string]store{
		"mongostore": {
			source: "adapters/mongostore", module: "integration", tests: "./mongostore", run: "^TestFeedStoreCrashes$", intact: 200,
			lacks: mongostoreMutants(),
		},
		"feeds on SQLite": {
			source: "adapters/internal/sqlstore/feedstore", module: ".", tests: "./adapters/sqlitestore", run: "^TestFeedStoreCrashes$", intact: 200,
			lacks: feedstoreMutants(),
		},
		"postgresstore": {
			source: "adapters/postgresstore", module: "integration", tests: "./postgresstore", run: "^TestFeedStoreCrashes$", intact: 200,
			lacks: postgresstoreMutants(),
		},
		"sqlstore on SQLite": {
			source: "adapters/internal/sqlstore", module: ".", tests: "./adapters/sqlitestore", run: "^TestPipelineCrashes$", intact: 200,
			lacks: sqliteMutants(),
		},
		"sqlstore on MySQL": {
			source: "adapters/internal/sqlstore", module: "integration", tests: "./mysqlstore", run: "^TestPipelineCrashes$", intact: 200,
			lacks: mysqlMutants(),
		},
		"table projections on SQLite": {
			source: "adapters/internal/sqlstore/tableprojection", module: ".", tests: "./adapters/sqlitestore", run: "^TestTableProjectionCrashes$", intact: 200,
			lacks: tableMutants(),
		},
		"table projections on MySQL": {
			source: "adapters/internal/sqlstore/tableprojection", module: "integration", tests: "./mysqlstore", run: "^TestTableProjectionCrashes$", intact: 200,
			lacks: mysqlTableMutants(),
		},
		"the order of topics on MySQL": {
			source: "adapters/internal/sqlstore/outbox", module: "integration", tests: "./mysqlstore", run: "^TestOrder$", lacks: orderMutants(),
		},
		"the marks of ordered topics": {
			source: "adapters/internal/sqlstore/outbox", module: ".", tests: "./adapters/internal/sqlstore/outbox", lacks: markMutants(),
		},
		"the order of topics in the relay": {
			source: "cqrsfeed/outbox", module: ".", tests: "./adapters/sqlitestore", run: "^TestOrder$", lacks: relayOrderMutants(),
		},
		"cqrsfeed": {
			source: "cqrsfeed", module: ".", tests: "./adapters/sqlitestore", run: "^TestPipelineCrashes$", intact: 200,
			lacks: []mutant{{
				without: "withholding of refused versions", file: "tagfeeds.go", within: 200,
				text:    `f.config.Store.Apply(ctx, refused.withheld)`,
				instead: `f.config.Store.Apply(ctx, nil)`,
			}},
		},
		"projector": {
			source: "cqrsfeed/projector", module: ".", tests: "./adapters/sqlitestore", run: "^TestPipelineCrashes$", intact: 200,
			lacks: projectorMutants(),
		},
	}
}

func mongostoreMutants() []mutant {
	return []mutant{
		{
			without: "the guard of writes", file: "write.go", within: 500,
			text:    `SetFilter(at(p.stored.ID, p.stored.state())).SetReplacement(document)`,
			instead: `SetFilter(bson.D{{Key: fieldID, Value: document.ID}}).SetReplacement(document)`,
		},
		{
			without: "the order of a withheld version and the same one accepted, and of rules", file: "plan.go", within: 500,
			text:    `p.stored.state().Before(p.next.state())`,
			instead: `p.stored.Version < p.next.Version`,
		},
		{
			without: "the rule in the guards", file: "write.go", test: "^TestCrashesOfNewerVersions$",
			text:    `{Key: fieldRule, Value: state.Rule},`,
			instead: ``,
		},
		{
			without: "another try after a lost write", file: "write.go", within: 1000,
			text:    `remaining = append(lostInserts, lostReplacements...)`,
			instead: `remaining = append(lostInserts, lostReplacements...)[:0]`,
		},
		{
			without: "the record of feeds that an item leaves", file: "plan.go", within: 500,
			text:    `without(union(p.stored.Left, p.stored.Feeds), document.Feeds)`,
			instead: `without(union(p.stored.Left), document.Feeds)`,
		},
		{
			without: "the record that a newer version takes over", file: "plan.go", within: 2000,
			text:    `without(union(p.stored.Left, p.stored.Feeds), document.Feeds)`,
			instead: `without(union(p.stored.Feeds), document.Feeds)`,
		},
		{
			without: "the bump of a repeated version", file: "plan.go", within: 500,
			text:    `if !p.current() {`,
			instead: `if !p.written {`,
		},
		{
			without: "the bump before the item is settled", file: "apply.go", within: 2000,
			text: `	unknown, err := a.bump(ctx, union(toBump...))
`,
			instead: `	if err := a.settle(ctx); err != nil {
		return err
	}
	unknown, err := a.bump(ctx, union(toBump...))
`,
		},
		{
			without: "the guard of settling", file: "write.go", test: "^TestCrashesOfNewerVersions$",
			text:    `SetFilter(at(p.next.ID, p.stored.state()))`,
			instead: `SetFilter(bson.D{{Key: fieldID, Value: p.next.ID}})`,
		},
		{
			without: "the second announcement", file: "plan.go", within: 2000,
			text:    `if p.written && !p.several {`,
			instead: `if p.written || !p.several {`,
		},
		{
			without: "the guard of counts that Apply stores", file: "bump.go", test: "^TestCountsOfWorkersInOneStore$",
			text:    `SetFilter(head.unchanged())`,
			instead: `SetFilter(bson.D{{Key: fieldID, Value: feed}})`,
		},
		{
			without: "the look at known heads before the write", file: "bump.go", test: "^TestCountsOfWorkersInOneStore$",
			text:    `*head == a.before[feed]`,
			instead: `*head == a.known.of(feed).feedDocument`,
		},
		{
			without: "the comparison with the known head", file: "bump.go", test: "^TestCountsOfWorkersInOneStore$",
			text:    `*head == a.before[feed]`,
			instead: `head.Revision >= a.before[feed].Revision`,
		},
		{
			without: "the comparison with all of an assumed head", file: "bump.go", test: "^TestHeadsThatBeganAgain$",
			text:    `SetFilter(head.unchanged())`,
			instead: `SetFilter(head.unchanged()[:2])`,
		},
		{
			without: "the count of feeds in which not all items are new", file: "bump.go", test: "^TestCountsOfNewItemsAmongOthers$",
			text:    `if !p.inserted {`,
			instead: `if !p.exists {`,
		},
		{
			without: "the look for a pending count before a known one is taken", file: "bump.go", test: "^TestPendingCountsAreNotAddedTo$",
			text:    `(head == nil || head.Pending == "")`,
			instead: `(head == nil || head.Name != "")`,
		},
		{
			without: "the second read of items that may be older than the head", file: "page.go", test: "^TestPagesAreNotOlderThanTheirRevision$",
			text:    `(!known.own || head != known.feedDocument)`,
			instead: `!known.own`,
		},
		{
			without: "the mark of a pending count", file: "bump.go", within: 500,
			text:    `{Key: fieldPending, Value: c.counter}`,
			instead: `{Key: "seen", Value: c.counter}`,
		},
		{
			without: "the recount", file: "recount.go", within: 500,
			text:    `range slices.Chunk(pending, recountGroup)`,
			instead: `range slices.Chunk(pending[:0], recountGroup)`,
		},
		{
			without: "the count of feeds that others left", file: "recount.go", within: 500,
			text:    `calls >= driver.RecountCalls`,
			instead: `calls > 100*driver.RecountCalls`,
		},
		{
			without: "the guard of counts that Recount stores", file: "recount.go", test: "^TestLateCountsAreNotStored$",
			text:    `{Key: "counted", Value: bson.D{{Key: "$lt", Value: head.Revision}}},`,
			instead: ``,
		},
		{
			without: "the mark that stays where a feed was bumped meanwhile", file: "recount.go", test: "^TestFeedsThatChangeWhileTheyAreCounted$",
			text:    `bson.D{{Key: "$eq", Value: bson.A{"$rev", revision}}}, "$$REMOVE", "$pending",`,
			instead: `bson.D{{Key: "$eq", Value: bson.A{"$rev", "$rev"}}}, "$$REMOVE", "$pending",`,
		},
	}
}

func feedstoreMutants() []mutant {
	return []mutant{
		{
			without: "the guard", file: "apply.go", within: 200,
			text:    `if !old.State.Before(change.State()) {`,
			instead: `if change.Item.Version < 1 {`,
		},
		{
			without: "the order of a withheld version and the same one accepted, and of rules", file: "apply.go", within: 500,
			text:    `if !old.State.Before(change.State()) {`,
			instead: `if change.Item.Version <= old.State.Version {`,
		},
		{
			without: "the count", file: "changes.go", within: 200,
			text:    `c.grow(feed, -1)`,
			instead: `c.grow(feed, 0)`,
		},
		{
			without: "the removal", file: "changes.go", within: 200,
			text:    `if wanted[e.Feed] && e.Row == old.Row && e.CreatedAt == createdAt {`,
			instead: `if e.Row == old.Row && e.CreatedAt == createdAt {`,
		},
		{
			without: "the second announcement", file: "apply.go", within: 500,
			text:    `if oldest[old.ID] <= old.State.Version {`,
			instead: `if oldest[old.ID] <= 0 {`,
		},
		{
			without: "the feeds that the item left", file: "changes.go", within: 500,
			text:    `pastFeeds(old.Past, left, wanted)`,
			instead: `pastFeeds(old.Past, nil, wanted)`,
		},
	}
}

func postgresstoreMutants() []mutant {
	return []mutant{
		{
			without: "the lock of an item", file: "feedtables.go", test: "^TestWritersOfAnItem$",
			text:    `ORDER BY id FOR UPDATE`,
			instead: `ORDER BY id`,
		},
		{
			without: "the next try for an item that another transaction has inserted", file: "apply.go",
			test:    "^TestWritersOfAnItem$",
			text:    `errors.Join(err, errRaced)`,
			instead: `err`,
		},
		{
			without: "the places that the sequence has yet to give", file: "dialect.go", test: "^TestPlacesBehindTheSequence$",
			text:    `n > coalesce(`,
			instead: `n < coalesce(-`,
		},
		{
			without: "the end of a connection to a demoted server", file: "dialect.go", test: "^TestADemotedPrimaryIsLeft$",
			text:    `_ = conn.Close(ctx)`,
			instead: `_ = ctx`,
		},
	}
}

func sqliteMutants() []mutant {
	return []mutant{
		{
			without: "the next version of an erased item", file: "repository/erase.go", within: 1000,
			text:    `item.Version, erasedBody, item.UpdatedAt`,
			instead: `item.Version-1, erasedBody, item.UpdatedAt`,
		},
		{
			without: "publishing before the deletion", file: "outbox/drain.go", within: 500,
			text: `	settled, err := batch.publish(ctx, publish)
	if err != nil || settled.empty() {`,
			instead: `	if err := o.removeIDs(ctx, o.database.DB, o.table, batch.ids); err != nil {
		return 0, nil, err
	}
	settled, err := batch.publish(ctx, publish)
	if err != nil || settled.empty() {`,
		},
		withoutTheOutcome(),
	}
}

func mysqlMutants() []mutant {
	return []mutant{
		{
			without: "the event in the item's transaction", file: "outbox/outbox.go", within: 500,
			text:    `o.insertRows(ctx, tx, rows[:n], now)`,
			instead: `o.insertRows(ctx, o.database.DB, rows[:n], now)`,
		},
		{
			without: "the event in the transaction of a deletion or an update", file: "repository/change.go", within: 500,
			text:    `return outbox.Insert(ctx, r.outbox, tx, topic, event)`,
			instead: `return outbox.Insert(ctx, r.outbox, r.database.DB, topic, event)`,
		},
		withoutTheOutcome(),
	}
}

// withoutTheOutcome tells all who shared a transaction that they have created what they have not.
func withoutTheOutcome() mutant {
	return mutant{
		without: "the outcome of shared transactions", file: "repository/together.go", within: 500,
		text:    `return nil // it was rolled back, or never began: each of them alone`,
		instead: `return make([]error, len(take()))`,
	}
}

func projectorMutants() []mutant {
	return []mutant{
		{
			without: "the application before the acknowledgement", file: "apply.go", within: 500,
			text: `		refused, failed, err := p.attempt(ctx, batch)`,
			instead: `		settle(batch, true)
		refused, failed, err := p.attempt(ctx, batch)`,
		},
	}
}

func tableMutants() []mutant {
	return []mutant{
		{
			without: "the remembered version", file: "steps.go", within: 200,
			text:    `return last.version < n.item.Version ||`,
			instead: `return last.version <= n.item.Version ||`,
		},
		{
			without: "the remembered state", file: "steps.go", within: 200,
			text:    `return row, p.step(ctx, tx, from, to)`,
			instead: `return row, p.step(ctx, tx, nil, to)`,
		},
	}
}

func mysqlTableMutants() []mutant {
	return []mutant{
		{
			without: "one transaction for a step and its memory", file: "steps.go", within: 500,
			text:    `return p.remember(ctx, p.database.Tx(tx), outdated, rows)`,
			instead: `return p.remember(ctx, p.database.DB, outdated, rows)`,
		},
		{
			without: "the lock that is held until the commit", file: "steps.go", within: 500,
			text:    `result, err := tx.ExecContext(ctx, p.sql.lock)`,
			instead: `result, err := p.database.DB.ExecContext(ctx, p.sql.lock)`,
		},
	}
}
