//go:build linux

package measure

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/feedmill/feedmill/benchmarks/sse/internal/contestant"
	"github.com/feedmill/feedmill/benchmarks/sse/internal/load"
	"github.com/feedmill/feedmill/benchmarks/sse/internal/server"
)

// record follows feedmill's feed for one update and returns the received bytes.
func record(ctx context.Context, size int) (recording contestant.Recording, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("record what feedmill sends: %w", err)
		}
	}()
	kind, err := contestant.KindOf(contestant.Feedmill)
	if err != nil {
		return recording, err
	}
	process, err := server.Start(ctx, server.Spec{Contestant: contestant.Feedmill, Size: size, Change: contestant.NewPost})
	if err != nil {
		return recording, err
	}
	defer func() { err = errors.Join(err, process.Close()) }()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", process.Address().String())
	if err != nil {
		return recording, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // ends the reads
	defer stop()

	if _, err := conn.Write(load.Request(process.Address(), kind.Path, kind.Encoding, "")); err != nil {
		return recording, err
	}
	in := bufio.NewReader(conn)
	first, err := readEvent(in, contestant.First, false)
	if err != nil {
		return recording, err
	}
	chunked := bytes.Contains(first, []byte("\r\nTransfer-Encoding: chunked\r\n"))
	if chunked {
		if first, err = appendChunkEnd(first, in); err != nil {
			return recording, err
		}
	}
	published, err := process.Publish()
	if err != nil {
		return recording, err
	}
	update, err := readEvent(in, published.N, chunked)
	if err != nil {
		return recording, err
	}
	first = bytes.ReplaceAll(first, number(contestant.First), number(published.N))

	return contestant.Recording{N: published.N, Response: first, Update: update}, nil
}

// readEvent reads up to the end of the event with state n, and up to the end of its chunk if chunked.
func readEvent(in *bufio.Reader, n int64, chunked bool) ([]byte, error) {
	end := append(number(n), "}\n\n"...)
	var read []byte
	for !bytes.HasSuffix(read, end) {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return nil, fmt.Errorf("read event of state %d: %w", n, err)
		}
		read = append(read, line...)
	}
	if chunked {
		return appendChunkEnd(read, in)
	}

	return read, nil
}

func appendChunkEnd(read []byte, in *bufio.Reader) ([]byte, error) {
	end := make([]byte, len("\r\n"))
	for i := range end {
		c, err := in.ReadByte()
		if err != nil {
			return nil, fmt.Errorf("read end of chunk: %w", err)
		}
		end[i] = c
	}

	return append(read, end...), nil
}

func number(n int64) []byte { return strconv.AppendInt(nil, n, 10) }
