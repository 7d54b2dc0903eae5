package stack

import (
	"context"
	"errors"
	"fmt"
	neturl "net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/feedmill/feedmill/adapters/natspubsub"
)

const (
	// natsPing is how often NATS is asked for a sign of life. The connection is replaced when two are missing, so that one
	// that the network has forgotten is noticed within three times as long.
	natsPing = 3 * time.Second
	// embeddedAckWait is short because an embedded server dies with its only client: what was in flight then comes again
	// this long after the next start.
	embeddedAckWait = 2 * time.Second
	// natsStart is how long an embedded server may take to start.
	natsStart = 10 * time.Second
)

// openNATS connects to NATS and creates the stream that holds the microblog's events.
func (s *Stack) openNATS(ctx context.Context, config Config) error {
	url, work := config.NATSURL, natspubsub.DurableConfig{Name: "tag-feeds"}
	connectOptions := []nats.Option{
		nats.Name("microblog"),
		nats.MaxReconnects(-1), // an outage of the broker is waited out, however long it takes
		nats.ReconnectWait(250 * time.Millisecond),
		nats.RetryOnFailedConnect(true),
		nats.PingInterval(natsPing),
		nats.FlusherTimeout(natsPing),
	}
	what, where := "nats", withoutPassword(url)
	if url == "" {
		what, where = "embedded nats", filepath.Join(config.DataDir, brokerDir)
		work.AckWait = embeddedAckWait
		embedded, err := s.startNATS(where)
		if err != nil {
			return err
		}
		connectOptions = append(connectOptions, nats.InProcessServer(embedded))
	}
	conn, err := nats.Connect(url, connectOptions...)
	if _, unreadable := errors.AsType[*neturl.Error](err); unreadable {
		return errors.New("read the NATS URL: it is not valid") // the error itself would show the password
	}
	if err != nil {
		return fmt.Errorf("connect to NATS: %w", err)
	}
	s.opened(what, where, func(context.Context) error {
		if !conn.IsConnected() {
			return errors.New("not connected")
		}
		return nil
	}, func() error { conn.Close(); return nil })

	stream, err := natspubsub.NewStream(conn, natspubsub.StreamConfig{Name: "microblog"}, watermill.NewSlogLogger(s.logger))
	if err != nil {
		return err
	}
	if err := s.await(ctx, "create the stream in NATS", stream.Ensure); err != nil {
		return err
	}
	publisher, err := stream.NewPublisher(natspubsub.PublisherConfig{})
	if err != nil {
		return err
	}
	s.closes = append(s.closes, publisher.Close)
	worker, err := stream.NewDurableSubscriber(work)
	if err != nil {
		return err
	}
	s.closes = append(s.closes, worker.Close)
	live, err := stream.NewLiveSubscriber(natspubsub.LiveConfig{})
	if err != nil {
		return err
	}
	s.closes = append(s.closes, live.Close)
	s.Parts.Publisher, s.Parts.Work, s.Parts.Live = publisher, worker, live
	return nil
}

// startNATS runs a NATS server in this process. It listens on no port.
func (s *Stack) startNATS(dir string) (*server.Server, error) {
	embedded, err := server.NewServer(&server.Options{
		ServerName: "microblog", DontListen: true, JetStream: true, StoreDir: dir, NoSigs: true,
		SyncAlways: true, // the relay deletes what was acknowledged, so that has to be on the disk by then
	})
	if err != nil {
		return nil, fmt.Errorf("set up the embedded NATS server in %s: %w", dir, err)
	}
	embedded.Start()
	s.closes = append(s.closes, func() error {
		embedded.Shutdown()
		embedded.WaitForShutdown()
		return nil
	})
	if !embedded.ReadyForConnections(natsStart) {
		return nil, fmt.Errorf("start the embedded NATS server in %s: not ready within %s", dir, natsStart)
	}
	return embedded, nil
}

// withoutPassword keeps of each URL what may be logged.
func withoutPassword(urls string) string {
	parts := strings.Split(urls, ",")
	for i, url := range parts {
		if at := strings.LastIndex(url, "@"); at >= 0 {
			parts[i] = url[at+1:]
		}
	}
	return strings.Join(parts, ",")
}
