package mutants_test

// mutant is a package without one of its mechanisms.
type mutant struct {
	without string // the mechanism
	file    string // of the package
	text    string // that the file has exactly once
	instead string // of the text
	within  int    // how many crashes the tests may need to notice
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

// mongostoreMutants has no row for another try after a lost entry: that is for two upserts of one entry that meet within
// the server, which crashes do not bring about. TestEntriesInsertedAtTheSameMoment of integration/mongostore does.
func mongostoreMutants() []mutant {
	return []mutant{
		{
			without: "the guard of claims", file: "apply_claim.go", within: 500,
			text:    `upsert(olderThan(p.id, p.version), claimOf(p, now))`,
			instead: `upsert(bson.D{{Key: "_id", Value: p.id}}, claimOf(p, now))`,
		},
		{
			without: "the guard of entries", file: "apply_entries.go", within: 2000,
			text:    `upsert(olderThan(e.key, e.plan.version), bson.D{`,
			instead: `upsert(bson.D{{Key: "_id", Value: e.key}}, bson.D{`,
		},
		{
			without: "the guard of deletions", file: "apply_entries.go", within: 2000,
			text:    `SetFilter(olderThan(e.key, e.plan.state.Version))`,
			instead: `SetFilter(bson.D{{Key: "_id", Value: e.key}})`,
		},
		{
			without: "the verification", file: "apply_verify.go", within: 2000,
			text:    `if result.matched == int64(len(ours)) {`,
			instead: `if result.matched >= 0 {`,
		},
		{
			without: "the bump before done", file: "apply.go", within: 2000,
			text: `			{"bump revisions", a.bump},
			{"verify and count", a.verifyAndCount},
`,
			instead: `			{"verify and count", a.verifyAndCount},
			{"bump revisions", a.bump},
`,
		},
		{
			without: "the mark of a pending count", file: "apply_bump.go", within: 500,
			text:    `{{Key: "by", Value: a.token}, {Key: "pending", Value: true}}`,
			instead: `{{Key: "by", Value: a.token}}`,
		},
		{
			without: "the recount", file: "recount.go", within: 500,
			text:    `range slices.Chunk(pending, recountGroup)`,
			instead: `range slices.Chunk(pending[:0], recountGroup)`,
		},
		{
			without: "the second look", file: "recount.go", within: 5000,
			text:    `if err := s.lookAgain(ctx, revisions); err != nil {`,
			instead: `if err := s.lookAt(ctx, nil, revisions); err != nil {`,
		},
		{
			without: "another try after a lost claim", file: "apply_claim.go", within: 1000,
			text:    `if p.state.Version < p.version {`,
			instead: `if p.state.Version == 0 {`,
		},
		{
			without: "the second announcement", file: "plan.go", within: 2000,
			text:    `if p.won && !p.repeated {`,
			instead: `if p.won || !p.repeated {`,
		},
	}
}

func sqlitestoreMutants() []mutant {
	return []mutant{
		{
			without: "the guard", file: "feedstore_apply.go", within: 200,
			text:    `if item.Version <= old.version {`,
			instead: `if item.Version < 1 {`,
		},
		{
			without: "the count", file: "feedstore_apply.go", within: 200,
			text:    `a.changed(feed, -1)`,
			instead: `a.changed(feed, 0)`,
		},
		{
			without: "the second announcement", file: "feedstore_apply.go", within: 500,
			text:    `if err := a.announceAgain(ctx, change); err != nil {`,
			instead: `if err := a.announceAgain(ctx, cqrsfeed.FeedChange[T]{}); err != nil {`,
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
			text:    `return r.outbox.Add(ctx, tx, topic, event)`,
			instead: `return r.outbox.Add(ctx, r.database.db, topic, event)`,
		},
		withoutTheOutcome(),
	}
}

// withoutTheOutcome tells all who shared a transaction that they have created what they have not.
func withoutTheOutcome() mutant {
	return mutant{
		without: "the outcome of shared transactions", file: "creations.go", within: 500,
		text:    `err = errAlone // the transaction was rolled back, or never began`,
		instead: `err = nil`,
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
