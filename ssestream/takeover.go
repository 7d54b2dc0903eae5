package ssestream

import (
	"bufio"
	"net"
	"net/http"
	"reflect"
	"time"
)

// takeOver takes a plain HTTP/1.1 connection on TCP from net/http, or answers nil where there is none to be had: on
// HTTP/2, TLS, other kinds of connections, and where middleware has wrapped the writer, which then has to see what
// is written. Nothing has been sent.
//
// The buffers that net/http keeps for a connection, 8 KB, are given up. It has no further use for them, but would
// hold them for as long as the request lasts.
func takeOver(w http.ResponseWriter, r *http.Request) net.Conn {
	if !canTakeOver || r.TLS != nil || r.ProtoMajor != 1 || !isServersOwn(w) {
		return nil
	}
	if _, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); !ok {
		return nil
	}
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		return nil
	}
	conn, buffers, err := hijacker.Hijack()
	if err != nil {
		return nil
	}
	*buffers.Reader, *buffers.Writer = bufio.Reader{}, bufio.Writer{}

	return conn
}

// isServersOwn says whether w is the writer that net/http's server made for HTTP/1, not something around it. Its
// type has no name outside of that package.
func isServersOwn(w http.ResponseWriter) bool {
	t := reflect.TypeOf(w)

	return t.Kind() == reflect.Pointer && t.Elem().PkgPath() == "net/http" && t.Elem().Name() == "response"
}

// appendResponseHead appends the status line and the header of a response that ends with its connection.
func appendResponseHead(dst []byte, r *http.Request, header http.Header) []byte {
	header.Set("Connection", "close")
	header.Del("Transfer-Encoding")
	if _, ok := header["Date"]; !ok {
		header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	buf := appender{dst}
	if r.ProtoAtLeast(1, 1) {
		buf.dst = append(buf.dst, "HTTP/1.1 200 OK\r\n"...)
	} else {
		buf.dst = append(buf.dst, "HTTP/1.0 200 OK\r\n"...)
	}
	_ = header.Write(&buf) // An appender does not fail.

	return append(buf.dst, "\r\n"...)
}

type appender struct{ dst []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.dst = append(a.dst, p...)

	return len(p), nil
}
