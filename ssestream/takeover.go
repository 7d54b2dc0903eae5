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
	// Who reads the body, or closes it after us, needs the connection's buffers.
	if r.Body != nil && r.Body != http.NoBody {
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

// isServersOwn says whether w is the writer that net/http's server made for HTTP/1, not something around it, and has not
// been used yet. Its type has no name outside of that package.
func isServersOwn(w http.ResponseWriter) bool {
	v := reflect.ValueOf(w)
	if v.Kind() != reflect.Pointer || v.Type().Elem().PkgPath() != "net/http" || v.Type().Elem().Name() != "response" {
		return false
	}
	wrote := v.Elem().FieldByName("wroteHeader")

	return wrote.Kind() == reflect.Bool && !wrote.Bool()
}

// streamFields are the header fields of a stream. Connection says that it ends the response.
const streamFields = "Content-Type: text/event-stream\r\n" +
	"Cache-Control: no-cache\r\n" +
	"X-Accel-Buffering: no\r\n" +
	"Vary: Accept\r\n" +
	"Connection: close\r\n"

// appendResponseHead appends the status line and the header of a response that ends with its connection. What the
// handlers around have set is in it, as far as it does not speak against that.
func appendResponseHead(dst []byte, r *http.Request, header http.Header) []byte {
	if r.ProtoAtLeast(1, 1) {
		dst = append(dst, "HTTP/1.1 200 OK\r\n"...)
	} else {
		dst = append(dst, "HTTP/1.0 200 OK\r\n"...)
	}
	dst = append(dst, streamFields...)
	if _, ok := header["Date"]; !ok {
		dst = append(dst, "Date: "...)
		dst = time.Now().UTC().AppendFormat(dst, http.TimeFormat)
		dst = append(dst, "\r\n"...)
	}
	if len(header) > 0 {
		buf := appender{dst}
		_ = header.WriteSubset(&buf, overruled()) // An appender does not fail.
		dst = buf.dst
	}

	return append(dst, "\r\n"...)
}

// overruled are the fields that a stream has of its own, or cannot have.
func overruled() map[string]bool {
	return map[string]bool{
		"Content-Type": true, "Cache-Control": true, "X-Accel-Buffering": true, "Connection": true,
		"Content-Length": true, "Transfer-Encoding": true,
	}
}

type appender struct{ dst []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.dst = append(a.dst, p...)

	return len(p), nil
}
