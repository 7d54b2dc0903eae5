package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

// feed is what the readers of a tag see.
type feed struct {
	Tag   string `json:"tag"   xml:"tag"`
	Posts []post `json:"posts" xml:"posts"`
}

// feedNames is what the readers of the front page see.
type feedNames struct {
	Feeds []string `json:"feeds" xml:"feeds"`
}

// feedStore has the feeds by tag.
type feedStore struct {
	mu    sync.Mutex
	feeds map[string]map[string]post
}

func newFeedStore() *feedStore { return &feedStore{feeds: map[string]map[string]post{}} }

// put puts the post into the feeds of its tags and no other, and returns the tags whose feeds changed.
func (s *feedStore) put(before, p post) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, tag := range before.Tags {
		delete(s.feeds[tag], p.ID)
	}
	for _, tag := range p.Tags {
		if s.feeds[tag] == nil {
			s.feeds[tag] = map[string]post{}
		}
		s.feeds[tag][p.ID] = p
	}
	touched := slices.Concat(before.Tags, p.Tags)
	slices.Sort(touched)
	return slices.Compact(touched)
}

func (s *feedStore) find(tag string) feed {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := feed{Tag: tag, Posts: []post{}}
	for _, id := range slices.Sorted(maps.Keys(s.feeds[tag])) {
		f.Posts = append(f.Posts, s.feeds[tag][id])
	}
	return f
}

func (s *feedStore) names() feedNames {
	s.mu.Lock()
	defer s.mu.Unlock()
	return feedNames{Feeds: append([]string{}, slices.Sorted(maps.Keys(s.feeds))...)}
}

// addProjection keeps the feeds by the events of posts, and announces each changed feed by its tag.
func addProjection(router *message.Router, pubSub pubSub, feeds *feedStore) {
	apply := func(msg *message.Message) ([]*message.Message, error) {
		var event postEvent
		if err := json.Unmarshal(msg.Payload, &event); err != nil {
			return nil, fmt.Errorf("decode event: %w", err)
		}
		var updates []*message.Message
		for _, tag := range feeds.put(event.Before, event.Post) {
			updates = append(updates, message.NewMessage(watermill.NewUUID(), []byte(tag)))
		}
		return updates, nil
	}
	router.AddHandler("post created", topicPostCreated, pubSub, topicFeedUpdated, pubSub, apply)
	router.AddHandler("post updated", topicPostUpdated, pubSub, topicFeedUpdated, pubSub, apply)
}

type pubSub interface {
	message.Publisher
	message.Subscriber
}
