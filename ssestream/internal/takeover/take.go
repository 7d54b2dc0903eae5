package takeover

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/feedmill/feedmill/ssestream/internal/response"
)

// Taken is a connection that was taken over, on which nothing has been sent.
type Taken struct {
	Conn   net.Conn
	Header http.Header // what the handlers around have set, to be added to; net/http keeps its own as long as the request lasts
	Ends   bool        // the context of the request ends the stream, as EndsItself says

	request *http.Request
}

// Take takes a connection from net/http, or returns nil where it has to stay there: see the package's comment.
//
// It gives up the buffers that net/http keeps for the connection, 8 KB. net/http does not use them any more, but
// would hold them for as long as the request lasts. Who closes a body later may need its buffer.
func Take(w http.ResponseWriter, r *http.Request) *Taken {
	if !canWriteRaw || r.TLS != nil || r.ProtoMajor != 1 {
		return nil
	}
	if wrote, ok := wroteHeader(w); !ok || wrote {
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
	*buffers.Writer = *bufio.NewWriterSize(io.Discard, 1)
	repair(w, buffers.Writer)
	if r.Body == nil || r.Body == http.NoBody {
		*buffers.Reader = bufio.Reader{}
	}

	return &Taken{Conn: conn, Header: w.Header().Clone(), request: r}
}

// repair gives net/http's response the buffer that it loses when its connection is hijacked. Without one a Flush, by
// middleware that flushes after every handler, would panic.
func repair(w http.ResponseWriter, discarding *bufio.Writer) {
	field := reflect.ValueOf(w).Elem().FieldByName("w")
	reflect.NewAt(field.Type(), field.Addr().UnsafePointer()).Elem().Set(reflect.ValueOf(discarding))
}

// EndsItself reports whether the context of the request may end before its handlers do. That of a hijacked connection's
// request does not, unless middleware or http.Server.BaseContext made it so. To wait for its end costs 370 bytes.
func EndsItself(w http.ResponseWriter, r *http.Request) bool { return ofServer(w, r) == nil }

// ofServer returns the context of the server, inside of those of the connection and the request, which are net/http's. It returns
// nil where something else may end the context of the request.
func ofServer(w http.ResponseWriter, r *http.Request) context.Context {
	field := reflect.ValueOf(w).Elem().FieldByName("req")
	if field.Type() != reflect.TypeFor[*http.Request]() {
		return nil
	}
	original := (*http.Request)(field.UnsafePointer()).Context()
	if r.Context().Done() != original.Done() {
		return nil
	}
	if server := parent(parent(original)); server != nil && server.Done() == nil {
		return server
	}

	return nil
}

// Alone returns the context of the server where nobody can see the handler of a connection that may be taken over end: net/http
// has called the router's handler, directly or by a ServeMux or an ssestream.Before, and nothing else ends the context of the request.
func Alone(w http.ResponseWriter, r *http.Request) context.Context {
	if _, ok := wroteHeader(w); !ok || r.TLS != nil || surrounded() {
		return nil
	}

	return ofServer(w, r)
}

// surrounded reports whether something else than net/http and the router's package is on the stack.
func surrounded() bool {
	var callers [32]uintptr
	n := runtime.Callers(1, callers[:])
	frames := runtime.CallersFrames(callers[:n])
	for {
		frame, more := frames.Next()
		if frame.Function == "runtime.goexit" {
			return false
		}
		if !more || !hasPrefix(frame.Function, "net/http.", router+".", router+"/internal/takeover.") {
			return true
		}
	}
}

func hasPrefix(s string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(s, prefix) })
}

// router is the package whose functions call this one's.
const router = "github.com/feedmill/feedmill/ssestream"

// parent returns the context inside of one that can be cancelled, nil if there is none.
func parent(ctx context.Context) context.Context {
	v := reflect.ValueOf(ctx)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return nil
	}
	field := v.Elem().FieldByName("Context")
	if !field.IsValid() || field.Type() != reflect.TypeFor[context.Context]() {
		return nil
	}
	inner, _ := reflect.TypeAssert[context.Context](field)

	return inner
}

// wroteHeader reports whether w has written the header. It is not ok unless w is the writer that net/http's server makes
// for HTTP/1, not something around it. Neither its type nor the fields that are used of it have an exported name.
func wroteHeader(w http.ResponseWriter) (wrote, ok bool) {
	v := reflect.ValueOf(w)
	if v.Kind() != reflect.Pointer || v.Type().Elem().PkgPath() != "net/http" || v.Type().Elem().Name() != "response" {
		return false, false
	}
	field := v.Elem().FieldByName("wroteHeader")
	buffer := v.Elem().FieldByName("w")
	if field.Kind() != reflect.Bool || !buffer.IsValid() || buffer.Type() != reflect.TypeFor[*bufio.Writer]() {
		return false, false
	}

	return field.Bool(), true
}

// head returns the status line and the header of a response that ends with its connection. It has what the handlers
// around have set, as far as that is possible for a stream.
func (t *Taken) head() []byte {
	var head bytes.Buffer
	header := t.Header
	if t.request.ProtoAtLeast(1, 1) {
		head.WriteString("HTTP/1.1 200 OK\r\n")
	} else {
		head.WriteString("HTTP/1.0 200 OK\r\n")
	}
	response.SetHeader(header)
	header.Set("Connection", "close")
	header.Del("Transfer-Encoding")
	if _, ok := header["Date"]; !ok {
		header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	_ = header.Write(&head) // A buffer does not fail.
	head.WriteString("\r\n")

	return head.Bytes()
}
