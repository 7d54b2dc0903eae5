//go:build !unix

package stack

// lockDataDir locks nothing where the system has no advisory locks: there it is up to the operator that only
// one microblog uses a data folder.
func lockDataDir(string) (unlock func() error, err error) {
	return func() error { return nil }, nil
}
