package main

import "github.com/feedmill/feedmill/integration/browser/internal/site"

// shownFeed is the feed that the second window follows.
const shownFeed = "sse"

// seeds returns the posts before the picture, the oldest first.
func seeds() []site.Draft {
	return []site.Draft{
		{Author: "Ines", Title: "Ethiopian beans, round two", Content: "Same roaster, a coarser grind, and suddenly there is blueberry. #coffee"},
		{Author: "Jonas", Title: "Outbox first", Content: "Write the row and its event in one transaction. The broker may be down, the post is not lost. #events #cqrs"},
		{Author: "Mara", Title: "What I read this weekend", Content: "Designing Data-Intensive Applications, chapter 11, for the third time. #books #events"},
		{Author: "Tomás", Title: "JetStream in one binary", Content: "An embedded broker makes the whole demo a single process. #nats #go"},
		{Author: "Ines", Title: "Release notes are a feature", Content: "Nobody reads a changelog that says “various fixes”. #books"},
		{Author: "Priya", Title: "EventSource is enough", Content: "No WebSocket, no library: the browser reconnects by itself and tells where it left off. #sse"},
		{Author: "Jonas", Title: "Flush, then forget", Content: "http.ResponseController made my streaming handler half as long. #go #sse"},
		{Author: "Mara", Title: "Espresso and a green build", Content: "In that order. #coffee #go"},
	}
}

// written returns the post that is created while both windows are open.
func written() site.Draft {
	return site.Draft{
		Author:  "Mara",
		Title:   "One room per key",
		Content: "A thousand open tabs, one load for each change. #sse #go #events",
	}
}
