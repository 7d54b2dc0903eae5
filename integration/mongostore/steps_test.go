package mongostore_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/feedmill/feedmill/cqrsfeed/cqrsfeedtest/crashtest"
)

// connectStepped connects a process: every command is one of its steps.
func connectStepped(uri string, process *crashtest.Process) (db *mongo.Database, disconnect func(), err error) {
	parsed, err := url.Parse(uri)
	if err != nil {
		return nil, nil, err
	}
	client, err := mongo.Connect(options.Client().ApplyURI(uri).
		SetDialer(steppedDialer{process}).SetServerMonitoringMode("poll"))
	if err != nil {
		return nil, nil, err
	}
	return client.Database(strings.TrimPrefix(parsed.Path, "/")), func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // nothing is under way that could be waited for
		_ = client.Disconnect(ctx)
	}, nil
}

// steppedDialer dials connections whose commands are steps of a process.
type steppedDialer struct{ process *crashtest.Process }

func (d steppedDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &steppedConn{Conn: conn, process: d.process}, nil
}

type steppedConn struct {
	net.Conn

	process *crashtest.Process
	answer  []byte
}

// Write sends a command and waits for the response, so that the step ends when the command has its effect.
func (c *steppedConn) Write(message []byte) (int, error) {
	name := commandOf(message)
	if name == "" {
		return c.Conn.Write(message)
	}
	err := c.process.Step(name, func() error {
		if _, err := c.Conn.Write(message); err != nil {
			return err
		}
		if err := c.SetReadDeadline(time.Time{}); err != nil {
			return err
		}
		length := make([]byte, 4)
		if _, err := io.ReadFull(c.Conn, length); err != nil {
			return err
		}
		c.answer = append(length, make([]byte, binary.LittleEndian.Uint32(length)-4)...)
		_, err := io.ReadFull(c.Conn, c.answer[len(length):])
		return err
	})
	if err != nil {
		return 0, err
	}
	return len(message), nil
}

func (c *steppedConn) Read(into []byte) (int, error) {
	if len(c.answer) == 0 {
		return c.Conn.Read(into)
	}
	n := copy(into, c.answer)
	c.answer = c.answer[n:]
	return n, nil
}

// commandOf returns a command and its collection, or "" for the commands by which the driver maintains its connections.
func commandOf(message []byte) string {
	const header, opCode, opMessage = 21, 12, 2013
	if len(message) < header || binary.LittleEndian.Uint32(message[opCode:]) != opMessage {
		return ""
	}
	command, err := bson.ReadDocument(bytes.NewReader(message[header:]))
	if err != nil {
		return ""
	}
	first, err := command.IndexErr(0)
	if err != nil || slices.Contains([]string{"hello", "isMaster", "ismaster", "ping", "endSessions", "killCursors"}, first.Key()) {
		return ""
	}
	collection, _ := first.Value().StringValueOK()
	return first.Key() + " " + collection
}
