package takeover

import (
	"bufio"
	"net"
	"net/http"
	"reflect"
	"time"

	"github.com/feedmill/feedmill/ssestream/internal/response"
)

// Take takes a connection from net/http, or returns nil where it has to stay there: see the package's comment.
// Nothing has been sent.
//
// It gives up the buffers that net/http keeps for the connection, 8 KB. net/http does not use them any more, but
// would hold them for as long as the request lasts.
func Take(w http.ResponseWriter, r *http.Request) net.Conn {
	if !canWriteRaw || r.TLS != nil || r.ProtoMajor != 1 || !unused(w) {
		return nil
	}
	// Whoever reads or closes the body later needs the connection's buffers.
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

// unused reports whether w is the writer that net/http's server makes for HTTP/1, not something around it, and has
// not written the header. Neither its type nor the field has an exported name.
func unused(w http.ResponseWriter) bool {
	wrote, ok := wroteHeader(w)

	return ok && !wrote
}

func wroteHeader(w http.ResponseWriter) (wrote, ok bool) {
	v := reflect.ValueOf(w)
	if v.Kind() != reflect.Pointer || v.Type().Elem().PkgPath() != "net/http" || v.Type().Elem().Name() != "response" {
		return false, false
	}
	field := v.Elem().FieldByName("wroteHeader")
	if field.Kind() != reflect.Bool {
		return false, false
	}

	return field.Bool(), true
}

// appendHead appends the status line and the header of a response that ends with its connection. It has what the
// handlers around have set, as far as that is possible for a stream.
func appendHead(dst []byte, r *http.Request, header http.Header) []byte {
	if r.ProtoAtLeast(1, 1) {
		dst = append(dst, "HTTP/1.1 200 OK\r\n"...)
	} else {
		dst = append(dst, "HTTP/1.0 200 OK\r\n"...)
	}
	header = header.Clone() // net/http keeps its own for as long as the request lasts.
	response.SetHeader(header)
	header.Set("Connection", "close")
	header.Del("Transfer-Encoding")
	if _, ok := header["Date"]; !ok {
		header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	buf := appender{dst}
	_ = header.Write(&buf) // An appender does not fail.

	return append(buf.dst, "\r\n"...)
}

type appender struct{ dst []byte }

func (a *appender) Write(p []byte) (int, error) {
	a.dst = append(a.dst, p...)

	return len(p), nil
}
