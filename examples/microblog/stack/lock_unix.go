//go:build unix

package stack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lockDataDir locks the folder until the returned function is called. Two microblogs on one database without a
// broker would not tell each other's pages what changed.
func lockDataDir(dir string) (unlock func() error, err error) {
	name := filepath.Join(dir, "lock")
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the folder is the operator's choice
	if err != nil {
		return nil, fmt.Errorf("lock the data folder: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close() // the lock was not taken: there is nothing to lose
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock the data folder: another microblog uses %s (choose another with -data-dir): %w", dir, ErrInUse)
		}
		return nil, fmt.Errorf("lock the data folder %s: %w", dir, err)
	}
	return file.Close, nil
}
