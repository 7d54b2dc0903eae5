package postgresstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feedmill/feedmill/adapters/internal/live"
	"github.com/feedmill/feedmill/internal/backoff"
)

const (
	// beatInterval is how often a listener checks that it hears what is published.
	beatInterval = 10 * time.Second
	// beatTimeout is how long a notification may take.
	beatTimeout = 5 * time.Second
	// listenTimeout bounds the connecting.
	listenTimeout = 10 * time.Second
)

var (
	errDeaf      = errors.New("notifications to the store's database do not arrive")
	errNoPgxConn = errors.New("the driver is not that of github.com/jackc/pgx/v5/stdlib")
)

// listener is a connection that listens. It hears its own beats, which are sent as all messages are, so that it does not stay
// on a server that others have left, or on a connection that the network has lost.
type listener struct {
	live  *Live
	conn  *sql.Conn
	beats chan string // the last one that was heard
}

// open is the live.Open.
func (l *Live) open(ctx context.Context) (live.Receive, error) {
	ctx, cancel := context.WithTimeout(ctx, listenTimeout)
	defer cancel()
	conn, err := l.listenDB.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	s := &listener{live: l, conn: conn, beats: make(chan string, 1)}
	if err := s.begin(ctx); err != nil {
		s.drop()
		return nil, fmt.Errorf("listen on channel %q: %w", l.channel, err)
	}
	return s.receive, nil
}

// begin listens until it hears a beat.
func (s *listener) begin(ctx context.Context) error {
	if _, err := s.conn.ExecContext(ctx, "LISTEN "+quote(s.live.channel)); err != nil {
		return err
	}
	beat, err := s.live.beat(ctx)
	if err != nil {
		return err
	}
	hearing, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	for {
		heard, err := s.next(hearing)
		switch {
		case err == nil && heard == beat:
			return nil
		case err != nil && ctx.Err() == nil && hearing.Err() != nil:
			return fmt.Errorf("%w; behind a pooler such as PgBouncer in transaction mode, set LiveConfig.DB to a connection to the server "+
				"itself, and to the same database", errDeaf)
		case err != nil:
			return err
		}
	}
}

// beat sends a notification that is about nothing, and returns it.
func (l *Live) beat(ctx context.Context) (string, error) {
	beat := notification(l.name, 0, 0, strconv.FormatInt(l.beats.Add(1), 10))
	return beat, l.send(ctx, []string{beat})
}

// next waits for a notification.
func (s *listener) next(ctx context.Context) (payload string, err error) {
	err = s.conn.Raw(func(conn any) error {
		pgx := pgxConn(conn)
		if pgx == nil {
			return errNoPgxConn
		}
		heard, err := pgx.WaitForNotification(ctx)
		if err == nil {
			payload = heard.Payload
		}
		return err
	})
	return payload, err
}

// receive is the live.Receive.
func (s *listener) receive(ctx context.Context, deliver func(topic string, messages []*message.Message)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var checking sync.WaitGroup
	checking.Go(func() { s.check(ctx, cancel) })
	defer func() {
		cancel(nil)
		checking.Wait()
		s.drop()
	}()
	var parts assembly
	for {
		heard, err := s.next(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("wait for notifications: %w", err)
		}
		sender, text, complete, err := parts.add(heard)
		switch {
		case err != nil:
			return err
		case sender == s.live.name:
			s.heardOwn(heard)
			continue
		case !complete:
			continue
		}
		topic, messages, err := live.Decode([]byte(text))
		if err != nil {
			return err
		}
		deliver(topic, messages)
	}
}

// heardOwn keeps the last beat, for check. Own messages are no beats.
func (s *listener) heardOwn(notification string) {
	if !strings.HasPrefix(notification, s.live.name+beatNumbers) {
		return
	}
	select {
	case <-s.beats:
	default:
	}
	s.beats <- notification
}

// check ends the session by cancel when a beat was sent and not heard.
func (s *listener) check(ctx context.Context, cancel context.CancelCauseFunc) {
	for backoff.Sleep(ctx, backoff.Jitter(beatInterval)) {
		beat, err := s.live.beat(ctx)
		if err != nil {
			continue // says nothing about the connection that listens
		}
		if !s.hears(ctx, beat) {
			cancel(errDeaf)
			return
		}
	}
}

// hears reports whether a beat is heard in time.
func (s *listener) hears(ctx context.Context, beat string) bool {
	timer := time.NewTimer(beatTimeout)
	defer timer.Stop()
	for {
		select {
		case heard := <-s.beats:
			if heard == beat {
				return true
			}
		case <-timer.C:
			return false
		case <-ctx.Done():
			return true
		}
	}
}

// drop closes the connection, which must not return to the pool.
func (s *listener) drop() {
	_ = s.conn.Raw(func(conn any) error {
		closeConn(conn)
		return driver.ErrBadConn
	})
	_ = s.conn.Close()
}
