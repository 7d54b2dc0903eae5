package post

import "fmt"

// Station is a stage of the way of a post, with the place in the code that makes it. File is relative to the root of the
// repository, and Name is declared in it.
type Station struct{ Title, Text, File, Name string }

// Stations returns the way of a post, from the click to the windows.
func Stations() []Station {
	return []Station{
		{
			"1. A command", "The button sends POST /api/posts. The server checks the fields and answers with the stored post; it does not wait " +
				"for any page. #write", "examples/microblog/api/write.go", "createPost",
		},
		{
			"2. The rules", "A post has content, an author, perhaps a title, and the hashtags of its content. All of that is plain Go " +
				"without a database. #write #hashtags", "examples/microblog/post/post.go", "New",
		},
		{
			"3. One transaction", "The post and the event that tells of it are stored together, or not at all: no accepted post is lost. " +
				"#write #outbox", "cqrsfeed/repository.go", "Repository",
		},
		{
			"4. The outbox", "The event waits in a table of the same database. If the server stops now, it is still there when it starts again. " +
				"#outbox", "cqrsfeed/outbox/outbox.go", "Outbox",
		},
		{
			"5. The relay", "It publishes what waits, at least once, and deletes an event only after the acknowledgement. What is refused is " +
				"parked and does not hold up the rest. #outbox #events", "cqrsfeed/outbox/relay.go", "Relay",
		},
		{
			"6. A broker, or none", "In one process the relay publishes straight into the projector. For several instances NATS or another broker " +
				"lies between them; nothing else changes. #events", "inprocess.go", "inProcess",
		},
		{
			"7. The projector", "It takes events in batches, again if they failed, in any order, and sets aside those that can never be applied. " +
				"#events #feeds", "cqrsfeed/projector/projector.go", "Projector",
		},
		{
			"8. The feeds", "Every post is put into the feeds of its tags, with exact counts. An event that comes twice or late changes nothing. " +
				"#feeds", "cqrsfeed/tagfeeds.go", "TagFeeds",
		},
		{
			"9. What changed", "Each feed that changed is announced with its revision, to every instance. #feeds #live", "cqrsfeed/events.go", "FeedUpdated",
		},
		{
			"10. The router", "It loads a changed feed once and encodes it once, however many windows follow it. A slow window skips states " +
				"and holds up nobody. #live", "ssestream/router.go", "Router",
		},
		{
			"11. One connection", "Everything that a window follows comes on one connection, as Server-Sent Events, compressed. " +
				"#live", "ssestream/streams.go", "AddStreamsHandler",
		},
		{
			"12. The window", "The client keeps the connection, notices silence, and resumes where it was. Open this page in two windows and " +
				"write: the other shows it at once. #live #welcome", "clients/typescript/src/client.ts", "StreamClient",
		},
	}
}

// Welcome returns the posts of a first start, the oldest first: a page that shows the newest first tells the way in its order.
func Welcome() ([]Post, error) {
	stations := Stations()
	posts := make([]Post, len(stations))
	for i, s := range stations {
		p, err := New(s.Title, fmt.Sprintf("%s\nCode: `%s` in `%s`", s.Text, s.Name, s.File), "Feedmill")
		if err != nil {
			return nil, fmt.Errorf("write post %q: %w", s.Title, err)
		}
		posts[len(posts)-1-i] = p
	}
	return posts, nil
}
