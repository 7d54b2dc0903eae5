// Package post is the microblog's domain: what a post is, which rules it keeps, and which tags it has.
package post

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/feedmill/feedmill/cqrsfeed"
)

// Limits of a post's parts, in characters.
const (
	MaxTitle   = 200
	MaxContent = 10_000
	MaxAuthor  = 100
	// MaxTags bounds the number of feeds of a post.
	MaxTags = 50
	// MaxTag bounds the length of a tag. 64 characters of UTF-8 fit into the name of a feed.
	MaxTag = 64
)

// FeedOfAll is the name of the feed that every post is in. No hashtag can have it.
const FeedOfAll = "~all"

// Post is what people write. The title may be empty. Tags are those of the hashtags of Content. They are part of the post, so
// that all readers of its events agree on them.
type Post struct {
	Title   string   `json:"title"`
	Content string   `json:"content"`
	Author  string   `json:"author"`
	Tags    []string `json:"tags"`
}

// New returns a post as Checked does.
func New(title, content, author string) (Post, error) {
	return Post{Title: title, Content: content, Author: author}.Checked()
}

// Checked returns the post as it is stored, with its tags, or cqrsfeed.FieldErrors.
func (p Post) Checked() (Post, error) {
	p.Title, p.Content, p.Author = clean(p.Title), clean(p.Content), clean(p.Author)
	p.Tags = Tags(p.Content)
	if problems := p.problems(); problems != nil {
		return Post{}, problems
	}
	return p, nil
}

// clean returns a text composed, without the space around it.
func clean(text string) string { return norm.NFC.String(strings.TrimSpace(text)) }

// Edited returns the post with another title and content. A nil part stays as it is.
func (p Post) Edited(title, content *string) (Post, error) {
	if title != nil {
		p.Title = *title
	}
	if content != nil {
		p.Content = *content
	}
	return p.Checked()
}

func (p Post) problems() (problems cqrsfeed.FieldErrors) {
	add := func(field, format string, args ...any) {
		problems = append(problems, cqrsfeed.FieldError{Field: field, Detail: fmt.Sprintf(format, args...)})
	}
	length := func(field, value string, most int) {
		switch n := utf8.RuneCountInString(value); {
		case n == 0 && field == "title": // a post need not have one
		case n == 0:
			add(field, "is empty")
		case !strings.ContainsFunc(value, isVisible):
			add(field, "has no visible character")
		case n > most:
			add(field, "has %d characters, at most %d are allowed", n, most)
		}
	}
	length("title", p.Title, MaxTitle)
	length("content", p.Content, MaxContent)
	length("author", p.Author, MaxAuthor)
	if len(p.Tags) > MaxTags {
		add("content", "has %d hashtags, at most %d are allowed", len(p.Tags), MaxTags)
	}
	if slices.ContainsFunc(p.Tags, func(tag string) bool { return utf8.RuneCountInString(tag) > MaxTag }) {
		add("content", "has a hashtag of more than %d characters", MaxTag)
	}
	return problems
}

// isVisible reports whether a reader sees something of a character. Fillers and blanks are letters and symbols by their
// categories.
func isVisible(r rune) bool {
	const blanks = "\u2800\U0001d159"
	return !unicode.IsSpace(r) && !strings.ContainsRune(blanks, r) &&
		!unicode.In(r, unicode.C, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// FeedsRule is the version of FeedsOf, to be raised when FeedsOf changes.
const FeedsRule = 1

// FeedsOf returns the feeds of a post: that of all posts, and one for each of its tags.
func FeedsOf(item cqrsfeed.Item[Post]) []string {
	return append([]string{FeedOfAll}, item.Body.Tags...)
}
