package post

import (
	"math/rand/v2"
	"strings"

	"github.com/brianvoe/gofakeit/v7"
)

// Random returns a made-up post with one to three hashtags, from few enough tags that they meet in feeds.
func Random() (Post, error) {
	vocabulary := []string{
		"go", "events", "sse", "vue", "nats", "mysql", "mongodb", "sqlite", "cqrs", "coffee", "music", "books", "travel",
	}
	words := strings.Fields(gofakeit.Sentence())
	tags := 1 + rand.IntN(3) //nolint:gosec // made-up posts need no secrets
	for _, i := range rand.Perm(len(vocabulary))[:tags] {
		words = append(words, "#"+vocabulary[i])
	}
	return New(gofakeit.BookTitle(), strings.Join(words, " "), gofakeit.FirstName())
}
