package feedmill

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/cqrsfeed/driver"
	"github.com/feedmill/feedmill/ssestream"
)

// nameMark separates the names of a union in a key. Names have no control characters.
const nameMark = "\t"

// union is a page of a union as clients see it. A template for pages of one feed finds the feed empty.
type union struct {
	Feed  cqrsfeed.Feed   `json:"-"`
	Feeds []cqrsfeed.Feed `json:"feeds"`
	Items []any           `json:"items"`
	Next  string          `json:"next"`
}

// UnionHandler returns a handler for several feeds at once, such as the tags that somebody follows. It serves the pages of
// Unions. A parameter of the query names the feeds, separated by commas:
//
//	http.HandleFunc("GET /feeds", tags.UnionHandler("tags")) // GET /feeds?tags=go,sse
//
// A stream follows the first page, and changes with each of the feeds.
func (f *Feeds[T]) UnionHandler(parameter string) http.HandlerFunc {
	return f.app.Handle(f.Unions(parameter, nil), f.Topic())
}

// Unions returns an adapter like Pages for the items of several feeds, each once. The names are in a parameter of the query, or
// in a wildcard of the request's pattern: separated by commas, in any order, up to limits.MaxUnion. So a name with a comma
// cannot be asked for. No names are an empty page. Clients with the same names share loads. A nil view returns the
// cqrsfeed.FeedPage with FeedsConfig.View, and without Feed. FeedsConfig.Store must be a cqrsfeed.UnionStore, as those of
// this module are.
func (f *Feeds[T]) Unions(parameter string, view func(cqrsfeed.FeedPage[T]) any) *FeedAdapter {
	if view != nil {
		return f.newUnions(parameter, view)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.unions[parameter] == nil {
		f.unions[parameter] = f.newUnions(parameter, func(p cqrsfeed.FeedPage[T]) any {
			return union{Feeds: append([]cqrsfeed.Feed{}, p.Feeds...), Items: f.viewItems(p), Next: p.Next}
		})
	}
	return f.unions[parameter]
}

func (f *Feeds[T]) newUnions(parameter string, view func(cqrsfeed.FeedPage[T]) any) *FeedAdapter {
	return f.adapter(
		func(r *http.Request) (string, error) {
			names, err := driver.UnionNames(f.namesOf(r, parameter))
			if err != nil {
				return "", &ssestream.StatusError{Status: http.StatusBadRequest, Err: err, Field: parameter}
			}
			return strings.Join(names, nameMark), nil
		},
		func(ctx context.Context, feeds, cursor string) (any, error) {
			store, ok := f.config.Store.(cqrsfeed.UnionStore[T])
			if !ok {
				return nil, fmt.Errorf("feeds %q have no unions: the store (%T) is no cqrsfeed.UnionStore", f.config.Name, f.config.Store)
			}
			names := splitNames(feeds, nameMark)
			if len(names) > 1 { // the name of one is the key itself
				ssestream.DependOn(ctx, names...)
			}
			page, err := store.Union(ctx, names, cursor, f.config.PageSize)
			if err != nil {
				return nil, err
			}
			f.reportSkipped(page, strings.Join(names, ", "))
			return view(page), nil
		},
	)
}

// namesOf returns the names of the feeds that a request asks for.
func (f *Feeds[T]) namesOf(r *http.Request, parameter string) []string {
	asked := r.URL.Query()[parameter]
	if name := r.PathValue(parameter); name != "" {
		asked = []string{name}
	}
	var names []string
	for _, list := range asked {
		names = append(names, splitNames(list, ",")...)
	}
	for i, name := range names {
		names[i] = f.config.FeedName(name)
	}
	return names
}

// splitNames splits a list, and leaves empty names out.
func splitNames(list, separator string) []string {
	return slices.DeleteFunc(strings.Split(list, separator), func(name string) bool { return name == "" })
}
