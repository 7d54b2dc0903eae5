package demo

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/feedmill/feedmill/ssestream"
)

// openWindows opens that many streams of the feed, each on a connection of its own, until ctx ends. The returned function
// waits for their end.
func (d *Demo) openWindows(ctx context.Context, n int) (closed func()) {
	client := &http.Client{Transport: &http.Transport{}}
	var open sync.WaitGroup
	for range n {
		open.Go(func() {
			for ctx.Err() == nil {
				d.follow(ctx, client)
				select { // as a browser does after an interruption
				case <-ctx.Done():
				case <-time.After(time.Second):
				}
			}
		})
	}
	return func() {
		open.Wait()
		client.CloseIdleConnections()
	}
}

// follow reads a stream of the feed to its end.
func (d *Demo) follow(ctx context.Context, client *http.Client) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.address+d.path(), http.NoBody)
	if err != nil {
		return
	}
	request.Header.Set("Accept", "text/event-stream")
	response, err := client.Do(request)
	if err != nil {
		return
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, response.Body) // it ends with an interruption, which is none of its errors
}

func (d *Demo) path() string { return "/api/streams?stream=feed:" + Tag }

// slowWindow opens a stream of the feed and reads it slowly, until ctx ends. The rate is just above what the
// router asks of a client, which it would otherwise disconnect.
func (d *Demo) slowWindow(ctx context.Context) {
	const step, pause = 1 << 10, 200 * time.Millisecond
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", d.address)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(4 << 10) // what the kernel keeps for it would hide that it is slow
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\n\r\n", d.path(), d.address); err != nil {
		return
	}
	buffer := make([]byte, step)
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		_ = conn.SetReadDeadline(time.Now().Add(pause))
		n, _ := conn.Read(buffer)
		d.faults.struck.Add(int64(n))
	}
}

// cut ends all streams, every second until ctx ends. Their clients come back.
func (d *Demo) cut(ctx context.Context) {
	ticks := time.NewTicker(time.Second)
	defer ticks.Stop()
	for {
		for key := range d.router.Keys() {
			d.faults.struck.Add(int64(key.Clients))
			_ = d.router.Kick(ctx, ssestream.Kick{Key: key.Key}) // it fails only with ctx, and what has begun goes on
		}
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}
