package stack

import (
	"context"
	"errors"
	"fmt"
	neturl "net/url"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/nats-io/nats.go"

	"github.com/feedmill/feedmill"
	"github.com/feedmill/feedmill/adapters/natspubsub"
)

// natsPing is how often NATS is asked for a sign of life. The connection is replaced when two are missing, so that one
// that the network has forgotten is noticed within three times as long.
const natsPing = 3 * time.Second

// killedAfter is how long the events that an instance was applying wait for another one after the instance was killed.
const killedAfter = 10 * time.Second

// openNATS connects to NATS and creates the stream that holds the microblog's events.
func (s *Stack) openNATS(ctx context.Context, config Config) error {
	conn, err := nats.Connect(config.NATSURL,
		nats.Name("microblog"),
		nats.MaxReconnects(-1), // an outage of the broker is waited out, however long it takes
		nats.ReconnectWait(250*time.Millisecond),
		nats.RetryOnFailedConnect(true),
		nats.PingInterval(natsPing),
		nats.FlusherTimeout(natsPing),
	)
	if _, unreadable := errors.AsType[*neturl.Error](err); unreadable {
		return errors.New("read the NATS URL: it is not valid") // the error itself would show the password
	}
	if err != nil {
		return fmt.Errorf("connect to NATS: %w", err)
	}
	s.opened("nats", strings.Join(conn.Servers(), ","), func(context.Context) error {
		if !conn.IsConnected() {
			return errors.New("not connected")
		}
		return nil
	}, func() error { conn.Close(); return nil })

	stream, err := natspubsub.NewStream(conn, natspubsub.StreamConfig{Name: "microblog", Replicas: config.NATSReplicas}, watermill.NewSlogLogger(s.logger))
	if err != nil {
		return err
	}
	if err := s.await(ctx, "create the stream in NATS", stream.Ensure); err != nil {
		return err
	}
	publisher, err := stream.NewPublisher(natspubsub.PublisherConfig{MeterProvider: s.Metrics.Provider})
	if err != nil {
		return err
	}
	worker, err := stream.NewDurableSubscriber(natspubsub.DurableConfig{Name: "tag-feeds", AckWait: killedAfter})
	if err != nil {
		return err
	}
	live := stream.NewLiveSubscriber()
	s.closes = append(s.closes, publisher.Close, worker.Close, live.Close)
	s.Broker = &feedmill.Broker{Publisher: publisher, Work: worker, Live: live, Poison: stream.Poison("poison")}
	return nil
}
