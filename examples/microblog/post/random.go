package post

import (
	"strings"

	"github.com/brianvoe/gofakeit/v7"
)

// Random returns a made-up post, not checked yet, with one to three hashtags. There are few tags, so that posts meet in feeds.
func Random() Post {
	vocabulary := []string{
		"go", "events", "sse", "vue", "nats", "mysql", "mongodb", "sqlite", "cqrs", "coffee", "music", "books", "travel",
	}
	words := strings.Fields(gofakeit.Sentence())
	gofakeit.ShuffleStrings(vocabulary)
	for _, tag := range vocabulary[:gofakeit.IntRange(1, 3)] {
		words = append(words, "#"+tag)
	}
	return Post{Title: gofakeit.BookTitle(), Content: strings.Join(words, " "), Author: gofakeit.FirstName()}
}
