package proxies_test

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/klauspost/compress/zstd"
)

// decoding asks for compression as a browser does, and decompresses what comes as it comes. Unlike that of http.Transport, the
// response keeps its header.
type decoding struct {
	base    *http.Transport
	version int // of HTTP
}

// RoundTrip implements http.RoundTripper.
func (d decoding) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Accept-Encoding", "gzip, zstd")
	response, err := d.base.RoundTrip(r)
	if err != nil {
		return nil, err //nolint:wrapcheck // a plain wrapper
	}
	if response.ProtoMajor != d.version {
		return nil, errors.Join(fmt.Errorf("response by %s", response.Proto), response.Body.Close())
	}
	if encoding := response.Header.Get("Content-Encoding"); encoding != "" {
		response.Body = &decoded{encoded: response.Body, encoding: encoding}
	}
	return response, nil
}

// decoded decompresses a body.
type decoded struct {
	encoded  io.ReadCloser
	encoding string
	reader   io.Reader
}

// Read implements io.Reader. The first Read reads the header of the encoding.
func (d *decoded) Read(p []byte) (int, error) {
	if d.reader == nil {
		var err error
		switch d.encoding {
		case "gzip":
			d.reader, err = gzip.NewReader(d.encoded)
		case "zstd":
			d.reader, err = zstd.NewReader(d.encoded, zstd.WithDecoderConcurrency(1))
		default:
			err = fmt.Errorf("unknown encoding %q", d.encoding)
		}
		if err != nil {
			return 0, fmt.Errorf("decode: %w", err)
		}
	}
	return d.reader.Read(p) //nolint:wrapcheck // a plain wrapper
}

// Close implements io.Closer.
func (d *decoded) Close() error { return d.encoded.Close() } //nolint:wrapcheck // a plain wrapper
