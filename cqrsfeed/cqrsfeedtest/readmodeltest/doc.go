// Package readmodeltest has the conformance suites of readmodel.Store, which rebuild, purge and audit a store:
//
//	func TestRebuild(t *testing.T) {
//		readmodeltest.TestRebuild(t, func(t *testing.T) readmodel.Store[cqrsfeedtest.Body] { return openEmpty(t) })
//	}
//
// That of audits also takes a function that damages the store's database, see [AuditFixture].
package readmodeltest
