package live

// Station is a part that posts pass.
type Station struct {
	Name string `json:"name"`
	// Does says what it does, and why.
	Does string `json:"does"`
	// Runs is on what it runs here, and Else by what that is replaced.
	Runs string `json:"runs"`
	Else string `json:"else"`
	Code []Code `json:"code"`
	// Service is the container of docker-compose.yml that it runs in. Optional.
	Service string `json:"service,omitempty"`
	// Try is a command for a shell, in which {url} stands for the address of the microblog. Optional.
	Try string `json:"try,omitempty"`
}

// Code is a place in the repository.
type Code struct {
	File string `json:"file"`
	Name string `json:"name"`
}

// Stations returns the stations of a microblog with MySQL, MongoDB and NATS, or what is embedded instead of them.
func Stations(mysql, mongo, nats bool) []Station {
	return []Station{
		{
			Name: "write", Service: choose(mysql, "mysql", ""),
			Does: "Checks the post, and commits the row and the event that tells of it in one transaction. " +
				"So there is never a post without its event, nor an event without its post.",
			Runs: choose(mysql, "MySQL", "SQLite, in this process"),
			Else: choose(mysql, "SQLite in this process, without -mysql-dsn", "MySQL or MariaDB, by -mysql-dsn; PostgreSQL is a change of two lines"),
			Code: []Code{
				{"examples/microblog/api/write.go", "api.createPost"},
				{"adapters/internal/sqlstore/repository/create.go", "Repository.Create"},
			},
			Try: `curl -i {url}/api/posts -H 'Content-Type: application/json' -d '{"title":"Hello","content":"From a shell #go","author":"Me"}'`,
		},
		{
			Name: "outbox",
			Does: "Holds the event, in a table beside the posts, until the relay has handed it on. " +
				"What is here survives a crash of everything else.",
			Runs: choose(mysql, "a table in MySQL", "a table in the same SQLite file"),
			Else: "the database of the posts, whichever that is: both are in one transaction",
			Code: []Code{{"adapters/internal/sqlstore/outbox/drain.go", "Outbox.Drain"}, {"cqrsfeed/outbox/outbox.go", "Outbox"}},
			Try:  `curl -s {url}/metrics | grep cqrsfeed_outbox`,
		},
		{
			Name: "relay",
			Does: "Takes events out of the outbox as soon as they are committed, and deletes them only when they were acknowledged. " +
				"If nobody takes them it waits and tries again: at least once, never not at all.",
			Runs: "a goroutine of this process, woken by the commit",
			Else: "any number of them, also in processes of their own",
			Code: []Code{{"cqrsfeed/outbox/relay.go", "Relay.Run"}},
			Try:  `curl -s {url}/metrics | grep cqrsfeed_relay`,
		},
		broker(nats),
		{
			Name: "projector",
			Does: "Applies events to the feeds in batches. An event that comes twice, late or out of order changes nothing: " +
				"each write is guarded by the version of the post.",
			Runs: "a goroutine of this process",
			Else: "any number of them, in any number of instances",
			Code: []Code{{"cqrsfeed/projector/projector.go", "Projector"}, {"cqrsfeed/tagfeeds.go", "TagFeeds.Apply"}},
			Try:  `curl -s {url}/metrics | grep cqrsfeed_projector`,
		},
		{
			Name: "feeds", Service: choose(mongo, "mongo", ""),
			Does: "The read model: which posts are in which feed, newest first, with exact counts. " +
				"The router reads a changed feed once, however many windows follow it.",
			Runs: choose(mongo, "MongoDB", "the same SQLite file"),
			Else: choose(mongo, "SQLite in this process, without -mongo-uri", "MongoDB, by -mongo-uri"),
			Code: []Code{
				{"examples/microblog/post/post.go", "FeedsOf"},
				choose(mongo, Code{"adapters/mongostore/apply.go", "FeedStore.Apply"}, Code{"adapters/sqlitestore/apply.go", "FeedStore.Apply"}),
			},
			Try: `curl -s {url}/api/feeds/go`,
		},
		{
			Name: "router",
			Does: "Knows which window follows which feed. A change marks the feed; it is loaded once, encoded once, and the same bytes " +
				"go to all. A window that is slow skips states and holds up nobody.",
			Runs: "this process",
			Else: "every instance has one",
			Code: []Code{{"ssestream/topics.go", "Router.Publish"}, {"ssestream/internal/room/load.go", "room.load"}},
			Try:  `curl -N -H 'Accept: text/event-stream' '{url}/api/streams?stream=feeds'`,
		},
		{
			Name: "windows",
			Does: "Each window has one connection for all that it shows. After an interruption it says which states it has, and gets the newest " +
				"of the others: it never goes back, and ends on the last. Under load a page paints ten states a second.",
			Runs: "your browser",
			Else: "anything that reads Server-Sent Events, such as curl",
			Code: []Code{
				{"clients/typescript/src/client.ts", "StreamClient"},
				{"examples/microblog/web/src/stream/useStream.ts", "useStream"},
			},
		},
	}
}

func broker(nats bool) Station {
	if !nats {
		return Station{
			Name: "broker",
			Does: "Nothing lies between relay and projector here: the relay calls the projector, and deletes an event when that has returned. " +
				"A broker is needed for more than one instance.",
			Runs: "a function call",
			Else: "NATS, by -nats-url",
			Code: []Code{{"inprocess.go", "inProcess.Publish"}},
		}
	}
	return Station{
		Name: "broker", Service: "nats",
		Does: "Keeps the events until a projector has applied them, and tells the routers of all instances which feeds have changed.",
		Runs: "NATS with JetStream",
		Else: "nothing, without -nats-url, for one instance; or any other Pub/Sub of Watermill",
		Code: []Code{{"adapters/natspubsub/publisher.go", "Publisher.Publish"}},
		Try:  "docker-compose exec nats wget -qO- 'http://127.0.0.1:8222/jsz?consumers=true'",
	}
}

func choose[T any](first bool, yes, no T) T {
	if first {
		return yes
	}
	return no
}
