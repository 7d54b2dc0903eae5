//go:build !unix

package stack

// lockDataDir locks nothing, since the system has no advisory locks. The operator must not start two microblogs on one data
// folder.
func lockDataDir(string) (unlock func() error, err error) {
	return func() error { return nil }, nil
}
