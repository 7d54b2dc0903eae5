package cqrsfeed_test

import "github.com/feedmill/feedmill/internal/examplenotes"

// Note is what the examples store.
type Note = examplenotes.Note

func must(err error) {
	if err != nil {
		panic(err)
	}
}
