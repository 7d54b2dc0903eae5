package app

import (
	"github.com/feedmill/feedmill/examples/microblog/api"
	"github.com/feedmill/feedmill/ssestream"
)

// live makes the reads that a page can follow: each by its own URL, and all of them together on one connection,
// which is what the pages use.
func (a *App) live(routes *api.API) (api.Live, error) {
	feedList, err := routes.FeedListAdapter()
	if err != nil {
		return api.Live{}, err
	}
	feed, err := routes.FeedAdapter()
	if err != nil {
		return api.Live{}, err
	}
	onePost, err := routes.PostAdapter()
	if err != nil {
		return api.Live{}, err
	}
	feedTopics, postTopics := []string{TopicFeedUpdated}, []string{TopicPostUpdated, TopicPostDeleted}
	streams, err := a.router.AddStreamsHandler(
		ssestream.Stream{Pattern: "feeds", Topics: feedTopics, Adapter: feedList},
		ssestream.Stream{Pattern: "feed:{name}", Topics: feedTopics, Adapter: feed},
		ssestream.Stream{Pattern: "post:{id}", Topics: postTopics, Adapter: onePost},
	)
	if err != nil {
		return api.Live{}, err
	}
	return api.Live{
		FeedList: a.router.AddTopicsHandler(feedTopics, feedList),
		Feed:     a.router.AddTopicsHandler(feedTopics, feed),
		Post:     a.router.AddTopicsHandler(postTopics, onePost),
		Streams:  streams,
	}, nil
}
