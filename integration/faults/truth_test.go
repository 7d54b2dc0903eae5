package faults_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/feedmill/feedmill/cqrsfeed"
	"github.com/feedmill/feedmill/examples/microblog/api"
	"github.com/feedmill/feedmill/examples/microblog/post"
)

// feeds has the versions of the posts of each feed, by ID.
type feeds map[string]map[string]int64

// checkWrites compares the write model with the accepted changes and returns the feeds that it requires. The write model
// decides changes whose outcome is unknown.
func checkWrites(ctx context.Context, posts cqrsfeed.Repository[post.Post], records []*record) (feeds, error) {
	items := map[string]cqrsfeed.Item[post.Post]{}  // by ID
	titled := map[string]cqrsfeed.Item[post.Post]{} // by title, which deleted posts may lack
	want := feeds{}
	for after := ""; ; {
		const page = 500
		some, err := posts.Scan(ctx, after, page)
		if err != nil {
			return nil, err
		}
		if len(some) == 0 {
			break
		}
		for _, item := range some {
			after = item.ID
			items[item.ID], titled[item.Body.Title] = item, item
			for _, tag := range item.Body.Tags {
				if item.Deleted {
					break
				}
				if want[tag] == nil {
					want[tag] = map[string]int64{}
				}
				want[tag][item.ID] = item.Version
			}
		}
	}
	var problems []error
	for _, r := range records {
		item, found := items[r.id]
		if r.id == "" {
			item, found = titled[r.title]
		}
		if problem := r.differs(item, found); problem != "" {
			problems = append(problems, errors.New(problem))
		}
	}
	if len(items) > len(records) {
		problems = append(problems, fmt.Errorf("there are %d posts, of %d that were ever sent", len(items), len(records)))
	}
	return want, first(problems)
}

// checkFeeds compares the feeds that the microblog returns with the required ones.
func checkFeeds(ctx context.Context, client *http.Client, url string, want feeds) error {
	listed, err := readList(ctx, client, url)
	if err != nil {
		return err
	}
	var problems []error
	var names []string
	for _, f := range listed {
		names = append(names, f.Name)
		if f.Posts != int64(len(want[f.Name])) {
			problems = append(problems, fmt.Errorf("the list counts %d posts in %s, not %d", f.Posts, f.Name, len(want[f.Name])))
		}
	}
	slices.Sort(names)
	if !slices.Equal(names, slices.Sorted(maps.Keys(want))) {
		problems = append(problems, fmt.Errorf("the list has %v, not %v", names, slices.Sorted(maps.Keys(want))))
	}
	for name, posts := range want {
		count, got, err := readFeed(ctx, client, url, name)
		if err != nil {
			return err
		}
		if count != int64(len(posts)) || !maps.Equal(got, posts) {
			problems = append(problems, fmt.Errorf("feed %s counts %d, has %d and should have %d: %s", name, count, len(got), len(posts), difference(got, posts)))
		}
	}
	return first(problems)
}

// readList reads the list of all feeds.
func readList(ctx context.Context, client *http.Client, base string) (listed []api.FeedSummary, err error) {
	for cursor := ""; ; {
		var list api.FeedList
		if err := get(ctx, client, base+"/api/feeds?cursor="+url.QueryEscape(cursor), &list); err != nil {
			return nil, err
		}
		listed = append(listed, list.Feeds...)
		if cursor = list.Next; cursor == "" {
			return listed, nil
		}
	}
}

// readFeed reads all pages of a feed. A post that is there twice is an error.
func readFeed(ctx context.Context, client *http.Client, base, name string) (count int64, posts map[string]int64, err error) {
	posts = map[string]int64{}
	for cursor := ""; ; {
		var page api.FeedPage
		if err := get(ctx, client, base+"/api/feeds/"+url.PathEscape(name)+"?cursor="+url.QueryEscape(cursor), &page); err != nil {
			return 0, nil, err
		}
		if cursor == "" {
			count = page.Count
		}
		for _, p := range page.Posts {
			if _, twice := posts[p.ID]; twice {
				return 0, nil, fmt.Errorf("feed %s has post %s twice", name, p.ID)
			}
			posts[p.ID] = p.Version
		}
		if cursor = page.Next; cursor == "" {
			return count, posts, nil
		}
	}
}

// difference names some of the posts that differ.
func difference(got, want map[string]int64) string {
	var wrong []string
	for id, version := range want {
		if got[id] != version {
			wrong = append(wrong, fmt.Sprintf("%s is %d, not %d", id, got[id], version))
		}
	}
	for id, version := range got {
		if _, right := want[id]; !right {
			wrong = append(wrong, fmt.Sprintf("%s is there, %d", id, version))
		}
	}
	return fmt.Sprint(len(wrong), " are wrong: ", wrong[:min(len(wrong), 5)])
}

func get(ctx context.Context, client *http.Client, url string, into any) error {
	status, answer, err := request(ctx, client, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("get %s: %d %s", url, status, answer)
	}
	return json.Unmarshal(answer, into)
}

// first joins the first ten problems.
func first(problems []error) error {
	const most = 10
	if n := len(problems); n > most {
		problems = append(problems[:most:most], fmt.Errorf("and %d more", n-most))
	}
	return errors.Join(problems...)
}
