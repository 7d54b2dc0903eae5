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
		"sqlitestore": {
			source: "adapters/sqlitestore", module: ".", tests: "./adapters/sqlitestore", run: "^TestFeedStoreCrashes$", intact: 200,
			lacks: sqlitestoreMutants(),
		},
		"sqlstore on SQLite": {
			source: "adapters/internal/sqlstore", module: ".", tests: "./adapters/sqlitestore", run: "^TestPipelineCrashes$", intact: 200,
			lacks: sqliteMutants(),
		},
		"sqlstore on MySQL": {
			source: "adapters/internal/sqlstore", module: "integration", tests: "./mysqlstore", run: "^TestPipelineCrashes$", intact: 200,
			lacks: mysqlMutants(),
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
			text:    `SetFilter(at(document.ID, p.stored.Version))`,
			instead: `SetFilter(bson.D{{Key: fieldID, Value: document.ID}})`,
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
			text:    `SetFilter(at(p.next.ID, p.next.Version))`,
			instead: `SetFilter(bson.D{{Key: fieldID, Value: p.next.ID}})`,
		},
		{
			without: "the second announcement", file: "plan.go", within: 2000,
			text:    `if p.written && !p.several {`,
			instead: `if p.written || !p.several {`,
		},
		{
			without: "the guard of counts that Apply stores", file: "bump.go", within: 2000,
			text:    `{{Key: fieldID, Value: feed}, {Key: fieldRevision, Value: head.Revision}}`,
			instead: `{{Key: fieldID, Value: feed}}`,
		},
		{
			without: "the mark of a pending count", file: "bump.go", within: 500,
			text:    `{Key: fieldPending, Value: true}`,
			instead: `{Key: "seen", Value: true}`,
		},
		{
			without: "the recount", file: "recount.go", within: 500,
			text:    `range slices.Chunk(pending, recountGroup)`,
			instead: `range slices.Chunk(pending[:0], recountGroup)`,
		},
		{
			without: "the guard of counts that Recount stores", file: "recount.go", test: "^TestLateCountsAreNotStored$",
			text:    `{Key: "counted", Value: bson.D{{Key: "$lt", Value: head.Revision}}},`,
			instead: ``,
		},
		{
			without: "the mark that stays where a feed was bumped meanwhile", file: "recount.go", within: 2000,
			text:    `bson.D{{Key: "$eq", Value: bson.A{"$rev", revision}}}, "$$REMOVE", true,`,
			instead: `bson.D{{Key: "$eq", Value: bson.A{"$rev", "$rev"}}}, "$$REMOVE", true,`,
		},
	}
}

func sqlitestoreMutants() []mutant {
	return []mutant{
		{
			without: "the guard", file: "feedstore_apply.go", within: 200,
			text:    `if change.Item.Version <= old.version {`,
			instead: `if change.Item.Version < 1 {`,
		},
		{
			without: "the count", file: "feedstore_apply.go", within: 200,
			text:    `a.changed[feed]--`,
			instead: `a.changed[feed] -= 0`,
		},
		{
			without: "the removal", file: "feedstore_apply.go", within: 200,
			text:    `if wanted[e.feed] && e.n == at.n && e.createdAt == at.createdAt {`,
			instead: `if e.n == at.n && e.createdAt == at.createdAt {`,
		},
		{
			without: "the second announcement", file: "feedstore_apply.go", within: 500,
			text:    `if oldest <= old.version {`,
			instead: `if oldest <= 0 {`,
		},
		{
			without: "the feeds that the item left", file: "feedstore_apply.go", within: 500,
			text:    `pastFeeds(old.past, left, wanted)`,
			instead: `pastFeeds(old.past, nil, wanted)`,
		},
	}
}

func sqliteMutants() []mutant {
	return []mutant{
		{
			without: "publishing before the deletion", file: "outbox_drain.go", within: 500,
			text: `	settled, err := batch.publish(ctx, publish)
	if err != nil || settled.empty() {`,
			instead: `	if err := o.removeIDs(ctx, o.database.db, o.table, batch.ids); err != nil {
		return 0, err
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
			without: "the event in the item's transaction", file: "outbox.go", within: 500,
			text:    `o.insertRows(ctx, tx, rows[:n], now)`,
			instead: `o.insertRows(ctx, o.database.db, rows[:n], now)`,
		},
		{
			without: "the event in the transaction of a deletion or an update", file: "repository_change.go", within: 500,
			text:    `return r.outbox.add(ctx, tx, topic, event)`,
			instead: `return r.outbox.add(ctx, r.database.db, topic, event)`,
		},
		withoutTheOutcome(),
	}
}

// withoutTheOutcome tells all who shared a transaction that they have created what they have not.
func withoutTheOutcome() mutant {
	return mutant{
		without: "the outcome of shared transactions", file: "repository_together.go", within: 500,
		text:    `return nil // it was rolled back, or never began: each of them alone`,
		instead: `return make([]error, len(take()))`,
	}
}

func projectorMutants() []mutant {
	return []mutant{
		{
			without: "the application before the acknowledgement", file: "apply.go", within: 500,
			text: `		refused, err := p.attempt(ctx, batch)`,
			instead: `		settle(batch, true)
		refused, err := p.attempt(ctx, batch)`,
		},
	}
}
