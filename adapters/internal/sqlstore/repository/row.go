package repository

import (
	"time"

	"github.com/feedmill/feedmill/adapters/internal/sqlstore/sqldb"
	"github.com/feedmill/feedmill/cqrsfeed"
)

// advance makes item the next version. UpdatedAt never decreases, even if the clock does.
func advance[T any](item *cqrsfeed.Item[T]) {
	item.Version++
	if now := now(); now.After(item.UpdatedAt) {
		item.UpdatedAt = now
	}
}

// scanItem reads a row of sqldb.ItemColumns. undecodable is an UndecodableError if the body of an item that is not
// deleted cannot be decoded.
func scanItem[T any](row sqldb.Scanner) (item cqrsfeed.Item[T], undecodable, err error) {
	var createdAt, updatedAt int64
	err = row.Scan(&item.ID, &item.Version, (*[]byte)(&item.Encoded), &createdAt, &updatedAt, &item.Deleted)
	if err != nil {
		return item, nil, err
	}
	item.CreatedAt = time.UnixMicro(createdAt).UTC()
	item.UpdatedAt = time.UnixMicro(updatedAt).UTC()
	undecodable = item.DecodeBody()
	if item.Deleted {
		undecodable = nil
	}
	return item, undecodable, nil
}
